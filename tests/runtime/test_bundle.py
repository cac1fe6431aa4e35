"""The bundle is written whole or not at all, in the promised form, and replaces nothing else."""

import json
import struct
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from nsmc.runtime.bundle import (
    CARD_FILE,
    CONFIG_FILE,
    POOLINGS,
    TOKENIZER_CONFIG_FILE,
    TOKENIZER_FILE,
    VECTORS_FILE,
    WEIGHTS_FILE,
    expected_shapes,
    fill_bundle,
    rewrite_config,
    whole_bundle,
)
from nsmc.runtime.encoders import ENCODERS
from nsmc.runtime.loading import read_bundle
from nsmc.runtime.packing import Array
from nsmc.runtime.tokenizer_file import portable
from tests.bundles import TOKENIZER, config_of, random_bundle, random_tensors, write_bundle

FILES = (WEIGHTS_FILE, TOKENIZER_FILE, TOKENIZER_CONFIG_FILE, CONFIG_FILE, CARD_FILE)
CONFIG = config_of()


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("cell", "pooling", "bidirectional", "num_layers"),
    list(product(sorted(ENCODERS), POOLINGS, (False, True), (1, 3))),
)
def test_what_is_written_is_read(
    tmp_path: Path, cell: str, pooling: str, bidirectional: bool, num_layers: int
) -> None:
    config = config_of(
        architecture=cell,
        pooling=pooling,
        bidirectional=bidirectional,
        num_layers=num_layers,
        labels=("부정", "긍정"),
        metrics={"val/accuracy": 0.875},
        signature="abc123",
        command="python train.py seed=3",
    )
    folder = random_bundle(tmp_path / "runs" / "first" / "bundle", like=config)
    bundle = read_bundle(folder)
    assert bundle.config == config
    tensors = random_tensors(config)
    assert bundle.tensors.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert bundle.tensors[name].dtype == np.float32
        np.testing.assert_array_equal(bundle.tensors[name], tensor)
    text = "정말 재미없는 영화"
    assert bundle.tokenizer.encode(text) == TOKENIZER.encode(text)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", sorted(ENCODERS))
def test_an_encoder_s_bundle_has_no_labels_and_no_head(
    tmp_path: Path, cell: str, bidirectional: bool
) -> None:
    classifier = config_of(architecture=cell, bidirectional=bidirectional, pooling="attention")
    encoder = replace(classifier, labels=())
    head = {"attention.weight", "ln1.weight", "ln1.bias"}
    assert expected_shapes(classifier).keys() - expected_shapes(encoder).keys() == head
    bundle = read_bundle(random_bundle(tmp_path / "bundle", like=encoder))
    assert bundle.config == encoder
    assert bundle.tensors.keys() == expected_shapes(encoder).keys()


def test_a_bundle_is_five_files_in_the_promised_forms(tmp_path: Path, tokenizer_file: Path) -> None:
    bundle = random_bundle(tmp_path / "bundle", "# A card\n")
    assert sorted(contents(bundle)) == sorted(FILES)
    expected = portable(tokenizer_file.read_text(encoding="utf-8"), CONFIG.max_length)
    assert (bundle / TOKENIZER_FILE).read_text(encoding="utf-8") == expected
    loaded = json.loads((bundle / TOKENIZER_CONFIG_FILE).read_text(encoding="utf-8"))
    assert (loaded["model_max_length"], loaded["pad_token"]) == (CONFIG.max_length, "<pad>")
    assert (bundle / CARD_FILE).read_text(encoding="utf-8") == "# A card\n"
    raw = (bundle / WEIGHTS_FILE).read_bytes()
    header = json.loads(raw[8 : 8 + struct.unpack("<Q", raw[:8])[0]])
    metadata = header.pop("__metadata__")
    assert all(isinstance(value, str) for value in metadata.values())
    shapes = {name: tuple(tensor["shape"]) for name, tensor in header.items()}
    assert shapes == expected_shapes(CONFIG)
    assert {tensor["dtype"] for tensor in header.values()} == {"F32"}
    settings = json.loads((bundle / CONFIG_FILE).read_text(encoding="utf-8"))
    assert settings["format"] == "nsmc-bundle"
    assert settings["labels"] == ["negative", "positive"]


def test_weights_of_another_layout_or_precision_are_written_as_plain_float32(
    tmp_path: Path, tokenizer_file: Path
) -> None:
    tensors = random_tensors(CONFIG)
    odd = {name: np.asfortranarray(t).astype(np.float64) for name, t in tensors.items()}
    write_bundle(tmp_path / "bundle", CONFIG, odd, tokenizer_file, "")  # type: ignore[arg-type]
    for name, tensor in read_bundle(tmp_path / "bundle").tensors.items():
        np.testing.assert_array_equal(tensor, tensors[name])


def a_tensor_too_few(tensors: dict[str, Array]) -> None:
    del tensors["ln1.bias"]


def a_tensor_too_many(tensors: dict[str, Array]) -> None:
    tensors["ln2.bias"] = np.zeros(2, np.float32)


def a_transposed_tensor(tensors: dict[str, Array]) -> None:
    tensors["ln1.weight"] = tensors["ln1.weight"].T


@pytest.mark.parametrize("spoil", [a_tensor_too_few, a_tensor_too_many, a_transposed_tensor])
def test_weights_that_the_configuration_does_not_call_for_are_not_written(
    tmp_path: Path, tokenizer_file: Path, spoil: Callable[[dict[str, Array]], None]
) -> None:
    tensors = random_tensors(CONFIG)
    spoil(tensors)
    with pytest.raises(ValueError, match="not those of the configuration"):
        write_bundle(tmp_path / "bundle", CONFIG, tensors, tokenizer_file, "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("is_there", [False, True])
def test_a_bundle_that_fails_a_check_does_not_appear_and_an_older_one_stays(
    tmp_path: Path, tokenizer_file: Path, error: type[BaseException], is_there: bool
) -> None:
    target = tmp_path / "bundle"
    before = contents(random_bundle(target, "old")) if is_there else {}
    tensors = random_tensors(CONFIG, seed=1)
    with pytest.raises(error), whole_bundle(target) as scratch:
        fill_bundle(scratch, CONFIG, tensors, tokenizer_file, "new")
        assert read_bundle(scratch).config == CONFIG
        assert scratch != target
        raise error
    with pytest.raises(FileNotFoundError):
        write_bundle(target, CONFIG, tensors, tmp_path / "nowhere.json", "new")
    assert list(tmp_path.iterdir()) == ([target] if is_there else [])
    assert not is_there or contents(target) == before


def test_an_older_bundle_is_replaced_and_nothing_of_it_stays(tmp_path: Path) -> None:
    bundle = random_bundle(tmp_path / "bundle")
    (bundle / VECTORS_FILE).write_text("of the older bundle")
    (bundle / ".nsmc-0123456789ab.tmp").write_text("of a process that was killed")
    newer = config_of(num_layers=2, signature="newer")
    random_bundle(bundle, like=newer)
    assert read_bundle(bundle).config == newer
    assert sorted(contents(bundle)) == sorted(FILES)
    assert list(tmp_path.iterdir()) == [bundle]


@pytest.mark.parametrize("name", ["notes.txt", ".env", "README.md/notes.txt", "tokenizer.json.bak"])
def test_a_folder_that_holds_more_than_a_bundle_is_refused(tmp_path: Path, name: str) -> None:
    bundle = random_bundle(tmp_path / "bundle")
    path = bundle / name
    if path.parent.is_file():
        path.parent.unlink()
    path.parent.mkdir(exist_ok=True)
    path.write_text("my own")
    odd = path.relative_to(bundle).parts[0]
    with pytest.raises(ValueError, match=f"{bundle} holds {odd}, which is no part") as raised:
        random_bundle(bundle)
    assert "\n" not in str(raised.value)
    assert path.read_text() == "my own"


def test_a_folder_of_a_bundles_names_without_weights_is_no_bundle(tmp_path: Path) -> None:
    bundle = random_bundle(tmp_path / "bundle", "old")
    (bundle / WEIGHTS_FILE).unlink()
    with pytest.raises(ValueError, match="is no bundle"):
        random_bundle(bundle, "new")
    assert (bundle / CARD_FILE).read_text(encoding="utf-8") == "old"


def test_a_bundle_behind_a_link_is_replaced_where_it_is(tmp_path: Path) -> None:
    bundle, link = random_bundle(tmp_path / "bundle", "old"), tmp_path / "link"
    link.symlink_to(bundle)
    random_bundle(link, "new")
    assert link.is_symlink()
    assert (bundle / CARD_FILE).read_text(encoding="utf-8") == "new"


def test_metrics_that_are_known_later_replace_config_and_card_alone(tmp_path: Path) -> None:
    bundle = random_bundle(tmp_path / "bundle")
    before = contents(bundle)
    measured = replace(CONFIG, metrics={"test/accuracy": 0.75})
    rewrite_config(bundle, measured, "# 카드\n")
    after = contents(bundle)
    assert after.keys() == before.keys()
    assert read_bundle(bundle).config == measured
    assert after[CARD_FILE].decode() == "# 카드\n"
    for name in (WEIGHTS_FILE, TOKENIZER_FILE):
        assert after[name] == before[name]
