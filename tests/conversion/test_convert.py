"""A bundle in another form gives the same answers, as near as is said, or does not appear."""

import json
import warnings
from pathlib import Path

import numpy as np
import onnx
import pytest
from safetensors.numpy import load_file

from nsmc.conversion import convert as conversion
from nsmc.conversion.convert import LARGEST_DIFFERENCE, convert, sample_texts
from nsmc.runtime.bundle import (
    CARD_FILE,
    CONFIG_FILE,
    ONNX_FILE,
    TOKENIZER_FILE,
    VECTORS_FILE,
    WEIGHTS_FILE,
)
from nsmc.runtime.golden import PROBES
from nsmc.runtime.loading import read_bundle
from nsmc.runtime.predictor import Predictor
from nsmc.runtime.softmax import softmax
from tests.bundles import config_of, random_bundle, random_tensors, write_bundle

every_form = pytest.mark.parametrize("form", ["float16", "float32", "int8", "onnx"])


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return random_bundle(tmp_path / "bundle", "# A card\n", architecture="lstm", pooling="max_mean")


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def probabilities(folder: Path, texts: list[str]) -> np.ndarray:
    predictor = Predictor.load(folder)
    return softmax(predictor.logits(predictor.encode(texts)))


# --- float16 and float32 ---


def test_float16_holds_the_rounded_weights_and_says_so(bundle: Path, tmp_path: Path) -> None:
    made = convert(bundle, "float16").folder
    assert made == tmp_path / "bundle-float16"
    before, after = load_file(bundle / WEIGHTS_FILE), load_file(made / WEIGHTS_FILE)
    assert before.keys() == after.keys()
    for name, tensor in before.items():
        assert after[name].dtype == np.float16
        np.testing.assert_array_equal(after[name], tensor.astype(np.float16))
    assert read_bundle(made).config.dtype == "float16"


def test_back_and_forth_changes_nothing_more(bundle: Path, tmp_path: Path) -> None:
    half = convert(bundle, "float16", tmp_path / "half").folder
    done = convert(half, "float32", tmp_path / "whole")
    assert done.difference == 0
    again = convert(done.folder, "float16", tmp_path / "again").folder
    assert contents(again) == contents(half)
    texts = ["정말 최고", "", "별로 재미없는 영화"]
    np.testing.assert_array_equal(probabilities(done.folder, texts), probabilities(half, texts))


def test_float32_of_a_float32_bundle_is_that_bundle_and_its_vectors(
    bundle: Path, tmp_path: Path
) -> None:
    made = contents(convert(bundle, "float32", tmp_path / "copy").folder)
    assert made.pop(VECTORS_FILE)
    assert made == contents(bundle)


def test_the_configuration_and_the_card_stay_but_for_type_and_digests(
    bundle: Path, tmp_path: Path
) -> None:
    made = convert(bundle, "float16", tmp_path / "half").folder
    before, after = (json.loads((each / CONFIG_FILE).read_text()) for each in (bundle, made))
    changed = {key for key in after if after[key] != before[key]}
    assert changed == {"dtype", "sha256"}
    for name in (CARD_FILE, TOKENIZER_FILE):
        assert (made / name).read_bytes() == (bundle / name).read_bytes()


def test_a_bundle_without_a_card_can_be_converted(bundle: Path) -> None:
    (bundle / CARD_FILE).unlink()
    Predictor.load(convert(bundle, "float16").folder)


def test_the_vectors_are_those_of_the_converted_weights(bundle: Path) -> None:
    made = convert(bundle, "float16").folder
    vectors = json.loads((made / VECTORS_FILE).read_text(encoding="utf-8"))["vectors"]
    logits = Predictor.load(made).logits([each["ids"] for each in vectors])
    np.testing.assert_allclose([each["logits"] for each in vectors], logits, rtol=0, atol=1e-5)


@every_form
def test_sizes_and_the_difference_are_the_real_ones(bundle: Path, form: str) -> None:
    done = convert(bundle, form)
    name = "nsmc.onnx" if form == "onnx" else WEIGHTS_FILE
    assert done.bytes_before == (bundle / WEIGHTS_FILE).stat().st_size
    assert done.bytes_after == (done.folder / name).stat().st_size
    texts = [*PROBES, *sample_texts()]
    assert done.texts == len(texts) > 100
    if form != "onnx":
        found = np.abs(probabilities(done.folder, texts) - probabilities(bundle, texts)).max()
        assert done.difference == pytest.approx(found, abs=1e-7)
    assert (done.difference > 0) == (form != "float32")
    assert done.difference <= LARGEST_DIFFERENCE[form]
    line = str(done)
    assert str(done.folder) in line
    assert str(len(texts)) in line
    assert "\n" not in line


def test_float16_is_half_the_size_where_the_weights_are_most_of_it(tmp_path: Path) -> None:
    done = convert(random_bundle(tmp_path / "bundle", embedding_dim=200), "float16")
    assert done.bytes_after / done.bytes_before == pytest.approx(0.5, abs=0.01)
    assert "50% of before" in str(done)


@every_form
@pytest.mark.parametrize("count", [3, 1_000])
def test_any_number_of_labels_is_converted(tmp_path: Path, form: str, count: int) -> None:
    labels = tuple(f"별 {number}" for number in range(count))
    done = convert(random_bundle(tmp_path / "bundle", labels=labels), form)
    config = json.loads((done.folder / CONFIG_FILE).read_text(encoding="utf-8"))
    assert config["labels"] == list(labels)
    if form == "onnx":
        (output,) = onnx.load(done.folder / ONNX_FILE).graph.output
        assert output.type.tensor_type.shape.dim[1].dim_value == count


# --- refusals ---


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@every_form
def test_answers_too_far_from_before_are_refused_and_nothing_is_left(
    bundle: Path, tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(LARGEST_DIFFERENCE, form, -1.0)
    with pytest.raises(ValueError, match="not converted: probabilities would differ by"):
        convert(bundle, form)
    assert names_in(tmp_path) == {"bundle"}


@every_form
def test_a_refusal_leaves_an_earlier_output_as_it_was(
    bundle: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = convert(bundle, form).folder
    before = contents(made)
    monkeypatch.setitem(LARGEST_DIFFERENCE, form, -1.0)
    with pytest.raises(ValueError, match="not converted"):
        convert(bundle, form)
    assert contents(made) == before


@pytest.mark.parametrize("value", [1e5, -1e5, 65520.0])
def test_weights_that_float16_cannot_hold_are_refused_in_words_and_without_a_warning(
    tmp_path: Path, value: float
) -> None:
    bundle = random_bundle(tmp_path / "bundle")
    tensors, config = random_tensors(config_of()), config_of()
    tensors["ln1.bias"][1] = value
    write_bundle(bundle, config, tensors, bundle / TOKENIZER_FILE, "")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match="float16"):
            convert(bundle, "float16")
    assert names_in(tmp_path) == {"bundle"}


@every_form
def test_onto_itself_is_refused_whatever_the_path_looks_like(
    bundle: Path, tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(bundle)
    before = contents(bundle)
    for output in (bundle, Path("bundle"), Path("bundle/../bundle"), tmp_path / "link"):
        with pytest.raises(ValueError, match="the bundle itself"):
            convert(bundle, form, output)
    assert contents(bundle) == before


@every_form
def test_an_earlier_output_is_replaced_whole(bundle: Path, tmp_path: Path, form: str) -> None:
    expected = contents(convert(bundle, form, tmp_path / "expected").folder)
    made = convert(bundle, form).folder
    (made / CONFIG_FILE).write_text('{"format": "nsmc-bundle"}')
    assert contents(convert(bundle, form).folder).keys() == expected.keys()
    assert contents(made)[TOKENIZER_FILE] == expected[TOKENIZER_FILE]
    assert names_in(tmp_path) == {"bundle", "expected", made.name}


@every_form
def test_a_folder_that_holds_something_else_is_not_deleted(
    bundle: Path, tmp_path: Path, form: str
) -> None:
    other = tmp_path / "thesis"
    other.mkdir()
    (other / "chapter1.txt").write_text("years of work")
    with pytest.raises((OSError, ValueError)):
        convert(bundle, form, other)
    assert (other / "chapter1.txt").read_text() == "years of work"


@every_form
def test_the_folder_that_the_bundle_is_in_is_not_deleted(tmp_path: Path, form: str) -> None:
    bundle = random_bundle(tmp_path / "run" / "bundle")
    before = contents(bundle)
    with pytest.raises((OSError, ValueError)):
        convert(bundle, form, tmp_path / "run")
    assert contents(bundle) == before


@every_form
def test_the_bundle_in_the_current_folder_can_be_converted(
    bundle: Path, tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(bundle)
    done = convert(Path(), form)
    assert done.folder.resolve() == tmp_path / f"bundle-{form}"


@every_form
def test_an_output_below_a_file_cannot_be_written(bundle: Path, tmp_path: Path, form: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        convert(bundle, form, tmp_path / "file" / "output")
    assert names_in(tmp_path) == {"bundle", "file"}


@every_form
def test_an_encoder_cannot_be_converted_and_it_is_said_why(tmp_path: Path, form: str) -> None:
    encoder = random_bundle(tmp_path / "bundle", labels=())
    with pytest.raises(ValueError, match="classifies nothing"):
        convert(encoder, form)
    assert names_in(tmp_path) == {"bundle"}


@every_form
def test_folders_on_the_way_to_the_output_are_made(bundle: Path, tmp_path: Path, form: str) -> None:
    done = convert(bundle, form, tmp_path / "a" / "b" / "c")
    assert done.folder.is_dir()


def test_the_reviews_that_are_compared_come_with_the_package() -> None:
    assert conversion.SAMPLE.is_file()
    texts = sample_texts()
    assert len(texts) > 100
    assert all(text.strip() for text in texts)
