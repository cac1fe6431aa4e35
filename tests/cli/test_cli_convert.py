"""`nsmc convert`: where it writes, and what it refuses."""

import subprocess
import sys
from pathlib import Path

import pytest

from nsmc.cli import main
from nsmc.runtime.loading import read_bundle
from nsmc.runtime.predictor import Predictor
from tests.bundles import write_bundle
from tests.cli.running import (
    BAD,
    GOOD,
    PATIENCE,
    environment,
    one_line,
    refused,
    rows,
    write_small_bundle,
)


@pytest.mark.parametrize("form", ["float16", "float32", "onnx"])
def test_convert_writes_beside_the_bundle_or_where_it_is_told(
    tmp_path: Path, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_small_bundle(tmp_path / "run" / "bundle")
    assert main(["convert", "run", "--to", form]) == 0
    line = one_line(capsys.readouterr().out)
    assert line.startswith(f"run/bundle-{form}: ")
    assert main(["convert", "run/bundle", "--to", form, "--output", "other"]) == 0
    names = {path.name for path in Path("other").iterdir()}
    assert names == {path.name for path in Path(f"run/bundle-{form}").iterdir()}
    assert ("nsmc.onnx" if form == "onnx" else "nsmc.safetensors") in names


def test_convert_refuses_in_one_line(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["convert", str(bundle), "--to", "float16", "--output", str(bundle)]
    assert "the bundle itself is there" in refused(words, capsys)
    assert "--to float16, int8" in refused(["convert", str(bundle)], capsys)
    words = ["convert", str(bundle), "--to", "onnx", "--weights", "float16"]
    assert "--weights float16 is for --to html" in refused(words, capsys)
    words = ["convert", str(bundle), "--to", "int8", "--weights", "int8"]
    assert "--weights int8 is for --to html or --to onnx" in refused(words, capsys)
    words = ["convert", str(bundle), "--to", "int8", "--language", "ko"]
    assert "--language is for pages: --to html" in refused(words, capsys)


@pytest.mark.parametrize("size", ["1", "256", "0", "-3", "100000"])
def test_a_vocabulary_of_an_impossible_size_is_refused(
    bundle: Path, size: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(bundle.parent.iterdir())
    said = refused(["convert", str(bundle), f"--vocab-size={size}"], capsys)
    assert f"--vocab-size {size}: this bundle has" in said
    assert "say a number from 257 to " in said
    assert sorted(bundle.parent.iterdir()) == before


def test_a_size_that_is_no_number_is_refused(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["convert", str(bundle), "--vocab-size", "many"])
    assert caught.value.code == 2
    assert "argument --vocab-size: invalid int value: 'many'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ([], "bundle-vocab270"),
        (["--to", "int8"], "bundle-vocab270-int8"),
        (["--to", "onnx", "--weights", "int8"], "bundle-vocab270-onnx-int8"),
        (["--to", "html"], "bundle-vocab270.html"),
    ],
)
def test_a_smaller_vocabulary_goes_with_every_form(
    tmp_path: Path, words: list[str], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_small_bundle(tmp_path / "run" / "bundle")
    assert main(["convert", "run", "--vocab-size", "270", *words]) == 0
    assert one_line(capsys.readouterr().out).startswith(f"run/{name}: ")
    assert Path("run", name).exists()


def test_a_converted_bundle_answers(
    bundle: Path, predictor: Predictor, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["convert", str(bundle), "--to", "float16", "--output", "half"]) == 0
    capsys.readouterr()
    assert main(["predict", "half", GOOD, BAD]) == 0
    found = [line.split("\t") for line in rows(capsys.readouterr().out)]
    assert [line[0] for line in found] == ["positive", "negative"]
    for line, answer in zip(found, predictor([GOOD, BAD]), strict=True):
        assert float(line[1]) == pytest.approx(answer.probability, abs=0.02)


def test_weights_too_large_for_float16_are_refused_in_one_line_of_a_real_process(
    bundle: Path,
) -> None:
    folder = Path("large").absolute()
    read = read_bundle(bundle)
    tensors = {name: tensor.copy() for name, tensor in read.tensors.items()}
    tensors["ln1.bias"][1] = 1e5
    write_bundle(folder, read.config, tensors, bundle / "tokenizer.json", "")
    command = [sys.executable, "-m", "nsmc.cli", "convert", str(folder), "--to", "float16"]
    done = subprocess.run(command, capture_output=True, timeout=PATIENCE, env=environment())
    assert done.returncode == 1
    assert one_line(done.stderr.decode()).startswith("nsmc: error: ")
    assert [path.name for path in Path().iterdir()] == ["large"]
