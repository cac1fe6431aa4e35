"""A merged bundle answers as its bundles do together, and is refused where it could not."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsmc.cli import main
from nsmc.conversion.convert import convert, sample_texts
from nsmc.conversion.merging import merge, side_by_side
from nsmc.runtime.bundle import CARD_FILE, CONFIG_FILE, TOKENIZER_FILE, VECTORS_FILE
from nsmc.runtime.info import info
from nsmc.runtime.loading import read_bundle
from nsmc.runtime.locate import PRETRAINED
from nsmc.runtime.packing import Array
from nsmc.runtime.predictor import Predictor
from tests.bundles import random_bundle

TEXTS = ["", "정말 좋은 영화", *sample_texts()[:50]]


def logits(folder: Path) -> Array:
    predictor = Predictor.load(folder)
    return predictor.logits(predictor.encode(TEXTS))


@pytest.mark.parametrize("pooling", ["last", "mean", "max", "max_mean"])
@pytest.mark.parametrize(
    ("kind", "sizes"),
    [
        ({"architecture": "gru"}, "hidden_size"),
        ({"architecture": "lstm", "num_layers": 2, "bidirectional": True}, "hidden_size"),
        ({"architecture": "gru", "num_layers": 3, "bidirectional": True}, "hidden_size"),
        ({"architecture": "cnn"}, "num_filters"),
    ],
)
def test_its_logits_are_the_mean_of_theirs(
    tmp_path: Path, kind: dict[str, Any], sizes: str, pooling: str
) -> None:
    folders = [
        random_bundle(
            tmp_path / f"{seed}",
            seed=seed,
            pooling=pooling,
            embedding_dim=3 + seed,
            labels=("a", "b", "c"),
            **{**kind, sizes: 2 + 3 * seed},
        )
        for seed in range(3)
    ]
    made = merge(folders, tmp_path / "merged")
    expected = np.mean([logits(folder) for folder in folders], axis=0)
    np.testing.assert_allclose(logits(made.folder), expected, rtol=0, atol=2e-6)
    config = read_bundle(made.folder).config
    assert config.embedding_dim == 3 + 4 + 5
    assert getattr(config.encoder, sizes) == 2 + 5 + 8


@given(
    sizes=st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), min_size=1, max_size=4),
    parts=st.tuples(st.integers(1, 3), st.integers(1, 3)),
)
def test_each_array_has_a_block_in_each_part_of_an_axis(
    sizes: list[tuple[int, int]], parts: tuple[int, int]
) -> None:
    arrays = [
        np.random.default_rng(k)
        .uniform(1, 2, (rows * parts[0], columns * parts[1]))
        .astype(np.float32)
        for k, (rows, columns) in enumerate(sizes)
    ]
    joined = side_by_side(arrays, parts)
    assert joined.shape == tuple(np.sum([array.shape for array in arrays], axis=0))
    assert np.count_nonzero(joined) == sum(array.size for array in arrays)
    for row, of_row in enumerate(np.split(joined, parts[0])):
        for column, block in enumerate(np.split(of_row, parts[1], axis=1)):
            top = left = 0
            for array, (height, width) in zip(arrays, sizes, strict=True):
                expected = np.split(np.split(array, parts[0])[row], parts[1], axis=1)[column]
                found = block[top : top + height, left : left + width]
                np.testing.assert_array_equal(found, expected)
                top, left = top + height, left + width


def test_what_was_measured_of_each_is_promised_of_none(tmp_path: Path) -> None:
    coded = convert(PRETRAINED, "int8", tmp_path / "coded").folder
    made = merge([PRETRAINED, coded], tmp_path / "merged", names=["pretrained", "my coded"])
    before, after = read_bundle(PRETRAINED).config, read_bundle(made.folder).config
    assert before.metrics
    assert before.confidence
    assert not after.metrics
    assert after.confidence is None
    assert after.teachers is not None
    assert after.teachers["count"] == 0
    assert after.teachers["inherited"]["morphemes"]
    card = (made.folder / CARD_FILE).read_text("utf-8")
    assert "model-index" not in card
    assert "0.89" not in card
    assert "| parameters | 2,955,266 |" in card
    assert "2 networks side by side" in card
    assert "read morphemes, by kiwipiepy" in card
    assert "The weights were int8 once" in card
    assert "signature" not in card
    assert after.command == f"nsmc merge pretrained 'my coded' --output {tmp_path}/merged"
    assert after.command in str(info(made.folder))
    assert (made.folder / VECTORS_FILE).is_file()
    # Of one that answers with a temperature, the answers and not the logits come back.
    ours, theirs = Predictor.load(made.folder), Predictor.load(PRETRAINED)
    assert theirs.config.temperature != 1
    np.testing.assert_allclose(
        ours.probabilities(TEXTS), theirs.probabilities(TEXTS), rtol=0, atol=0.01
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"labels": ("positive", "negative")},
            "labels=positive, negative, where .*a has",
        ),
        ({"pooling": "mean"}, "pooling=mean, where .*a has last"),
        ({"max_length": 32}, "max_length=32, where"),
        ({"num_layers": 2}, "num_layers=2, where"),
        ({"architecture": "lstm"}, "architecture=lstm, where"),
        ({"labels": ()}, "a pretrained encoder, which classifies nothing yet"),
    ],
)
def test_bundles_that_differ_in_more_than_their_sizes_are_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    first, second = (
        random_bundle(tmp_path / "a"),
        random_bundle(tmp_path / "b", seed=1, **changes),
    )
    with pytest.raises(ValueError, match=message):
        merge([first, second], tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_a_network_beyond_memory_is_refused_before_it_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = [random_bundle(tmp_path / name, seed=k) for k, name in enumerate("ab")]
    monkeypatch.setattr("nsmc.runtime.loading.LARGEST_MEMORY", 40_000)
    with pytest.raises(ValueError, match=f"{tmp_path}/merged: would take"):
        merge(folders, tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_a_card_in_another_encoding_is_read(tmp_path: Path) -> None:
    folders = [random_bundle(tmp_path / name, seed=k) for k, name in enumerate("ab")]
    (folders[0] / CARD_FILE).write_bytes("# 영화".encode("cp949"))
    made = merge(folders, tmp_path / "merged")
    assert "2 networks side by side" in (made.folder / CARD_FILE).read_text("utf-8")


def test_other_tokens_attention_and_what_is_there_twice_are_refused(tmp_path: Path) -> None:
    one = random_bundle(tmp_path / "a")
    pruned = convert(one, None, vocab_size=270).folder
    with pytest.raises(ValueError, match=r"its tokens are not those of .*data\.tokenizer=RUN"):
        merge([one, pruned], tmp_path / "merged")
    with pytest.raises(ValueError, match="at least two bundles"):
        merge([one], tmp_path / "merged")
    with pytest.raises(ValueError, match=r"a: the same weights as .*a; name other runs"):
        merge([one, one], tmp_path / "merged")
    attentive = random_bundle(tmp_path / "c", pooling="attention")
    with pytest.raises(ValueError, match=r"attention .* cannot be merged"):
        merge([attentive, attentive], tmp_path / "merged")
    with pytest.raises(ValueError, match="choose another --output"):
        merge([one, one], one)
    assert read_bundle(one).config.encoder == read_bundle(pruned).config.encoder


def test_the_command_takes_bundles_and_says_what_it_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = [str(random_bundle(tmp_path / name, seed=k)) for k, name in enumerate("ab")]
    assert main(["merge", *folders, "--output", f"{tmp_path}/merged"]) == 0
    said = capsys.readouterr().out
    assert "embedding 10, GRU 14, 1 layer(s), one direction; the mean of the logits within" in said
    assert main(["merge", *folders, "--output", folders[0]]) == 1
    assert "choose another --output" in capsys.readouterr().err
    assert main(["merge", folders[0], f"{tmp_path}/none", "--output", f"{tmp_path}/x"]) == 1
    assert not (tmp_path / "x").exists()
    assert (tmp_path / "merged" / CONFIG_FILE).is_file()
    assert (tmp_path / "merged" / TOKENIZER_FILE).is_file()
