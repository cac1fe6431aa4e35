"""A bundle with fewer tokens is one that would have learnt fewer merges, and promises nothing."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsmc.conversion.convert import convert, convert_to_page, sample_texts
from nsmc.conversion.vocabulary import prune
from nsmc.data.tokenizer import save_tokenizer, train_tokenizer
from nsmc.runtime.bundle import CARD_FILE, CONFIG_FILE, TOKENIZER_FILE, VECTORS_FILE, digests
from nsmc.runtime.info import info
from nsmc.runtime.loading import read_bundle, read_tokenizer, read_vocabulary
from nsmc.runtime.locate import PRETRAINED
from nsmc.runtime.predictor import Predictor
from tests.bundles import VOCAB_SIZE, random_bundle

SIZES = (257, 270, VOCAB_SIZE - 1)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return random_bundle(tmp_path / "bundle", metrics={"test/accuracy": 0.9})


@pytest.mark.parametrize("size", SIZES)
def test_it_has_that_many_tokens_each_with_the_embedding_of_before(bundle: Path, size: int) -> None:
    made = convert(bundle, None, vocab_size=size).folder
    assert made == bundle.with_name(f"bundle-vocab{size}")
    before, after = read_bundle(bundle), read_bundle(made)
    assert after.config.vocab_size == size
    old, new = read_vocabulary(bundle / TOKENIZER_FILE), read_vocabulary(made / TOKENIZER_FILE)
    assert sorted(new.values()) == list(range(size))
    assert new["<pad>"] == 0
    assert {token for token in old if len(token) == 1} <= new.keys()  # the bytes
    for token, id_ in new.items():
        np.testing.assert_array_equal(
            after.tensors["embedding.weight"][id_], before.tensors["embedding.weight"][old[token]]
        )
    for name, tensor in before.tensors.items():
        if name != "embedding.weight":
            np.testing.assert_array_equal(after.tensors[name], tensor)


def test_it_cuts_as_a_vocabulary_that_learnt_no_more_from_the_same_texts(tmp_path: Path) -> None:
    texts = sample_texts()
    for size in (800, 400):
        tokenizer = train_tokenizer(texts, vocab_size=size, min_frequency=2, normalization="nfc")
        save_tokenizer(tokenizer, tmp_path / f"{size}.json")
    content = json.loads((tmp_path / "800.json").read_text("utf-8"))
    prune(content["model"], 400)
    (tmp_path / "pruned.json").write_text(json.dumps(content), "utf-8")
    pruned, learnt = (read_tokenizer(tmp_path / f"{name}.json") for name in ("pruned", "400"))
    assert pruned.encode_batch(texts) == learnt.encode_batch(texts)


def test_what_is_still_one_token_is_answered_as_before(bundle: Path) -> None:
    made = convert(bundle, None, vocab_size=VOCAB_SIZE - 1).folder
    before, after = Predictor.load(bundle), Predictor.load(made)
    last = max(read_vocabulary(bundle / TOKENIZER_FILE).values())
    texts = [text for text in sample_texts() if last not in before.encode([text])[0]]
    assert texts
    np.testing.assert_array_equal(
        after.logits(after.encode(texts)), before.logits(before.encode(texts))
    )


def test_its_files_are_made_anew(tmp_path: Path) -> None:
    made = convert(PRETRAINED, None, tmp_path / "small", vocab_size=4000).folder
    before, after = (json.loads((f / CONFIG_FILE).read_text("utf-8")) for f in (PRETRAINED, made))
    assert {key for key in after if after[key] != before[key]} == {
        *("vocab_size", "metrics", "confidence", "sha256")
    }
    assert after["metrics"] == {}
    assert after["confidence"] is None
    assert after["sha256"] == digests(made)
    predictor = Predictor.load(made)
    for vector in json.loads((made / VECTORS_FILE).read_text("utf-8"))["vectors"]:
        assert predictor.encode([vector["text"]]) == [vector["ids"]]
        np.testing.assert_allclose(
            predictor.logits([vector["ids"]])[0], vector["logits"], rtol=0, atol=1e-5
        )
    assert info(made)["vocabulary"] == 4000


def test_the_card_has_no_figure_of_before(tmp_path: Path) -> None:
    made = convert(PRETRAINED, None, tmp_path / "small", vocab_size=4000).folder
    config, card = read_bundle(PRETRAINED).config, (made / CARD_FILE).read_text("utf-8")
    assert config.confidence is not None
    figures = [*config.metrics.values(), *config.confidence["coverage"][0].values()]
    for figure in (*figures, config.confidence["temperature"]):
        assert f"{figure:.4f}" not in card
    assert "| vocabulary | 4,000 byte-level BPE tokens |" in card
    assert "| parameters | 611,330 |" in card  # 6,000 embeddings of 128 less
    assert "has kept 4,000 of 10,000 tokens" in card
    assert card.count("Not measured with this vocabulary") == 2
    assert "model-index" not in card


def test_the_difference_is_that_from_the_bundle_of_before(tmp_path: Path) -> None:
    whole = convert(PRETRAINED, "int8", tmp_path / "whole")
    small = convert(PRETRAINED, "int8", tmp_path / "small", vocab_size=2000)
    assert small.difference > 10 * whole.difference
    assert small.changed > whole.changed
    assert small.bytes_before == whole.bytes_before
    assert small.bytes_after < whole.bytes_after
    page = convert_to_page(
        PRETRAINED, tmp_path / "a.html", weights="int8", language="auto", vocab_size=2000
    )
    assert page.changed == small.changed


def test_again_it_can_be_made_smaller(tmp_path: Path) -> None:
    once = convert(PRETRAINED, None, tmp_path / "a", vocab_size=2000).folder
    twice = convert(once, None, tmp_path / "b", vocab_size=1000).folder
    direct = convert(PRETRAINED, None, tmp_path / "c", vocab_size=1000).folder
    assert digests(twice) == digests(direct)
    assert "kept 1,000 of 2,000" in (twice / CARD_FILE).read_text("utf-8")


@given(st.integers(0, 4), st.integers(0, 6))
def test_merges_that_make_the_same_token_go_together(start: int, end: int) -> None:
    """Two ways to one token: as long as one of the merges stays, the token does."""
    merges = ["a b", "b c", "ab c", "a bc", "abc d", "c d"]
    tokens = ["<pad>", "a", "b", "c", "d", "ab", "bc", "abc", "abcd", "cd"]
    rotated = [*tokens[:1], *tokens[start + 1 :], *tokens[1 : start + 1]]  # ids in any order
    vocabulary = {token: id_ for id_, token in enumerate(rotated)}
    model = {"vocab": dict(vocabulary), "merges": list(merges)}
    size = min(5 + end, len(tokens) - 1)
    ids = prune(model, size)
    kept = model["vocab"]
    assert isinstance(kept, dict)
    assert len(kept) == len(ids) == size
    assert all(vocabulary[token] == ids[id_] for token, id_ in kept.items())
    made = {merge.replace(" ", "") for merge in model["merges"]}
    assert made | {"<pad>", "a", "b", "c", "d"} == kept.keys()
    assert model["merges"] == merges[: len(model["merges"])]


def test_pairs_are_read_as_well_as_texts(bundle: Path) -> None:
    content = json.loads((bundle / TOKENIZER_FILE).read_text("utf-8"))["model"]
    pairs = {**content, "merges": [merge.split(" ") for merge in content["merges"]]}
    assert prune(content, 270) == prune(pairs, 270)
    assert [" ".join(pair) for pair in pairs["merges"]] == content["merges"]
