"""Which bundle answers, named or not, and what is refused as one."""

import io
import json
import os
import shutil
import sys
import time
from pathlib import Path

import pytest

from nsmc.cli import main
from nsmc.runtime import locate
from nsmc.runtime.locate import newest_bundle, split_words
from nsmc.runtime.predictor import Predictor
from tests.cli.running import BAD, GOOD, one_line, refused, row, rows, write_small_bundle


def test_a_word_that_names_a_folder_is_the_bundle_and_what_cannot_be_a_path_is_a_text(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "folder").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    assert split_words([]) == (None, [])
    assert split_words([str(bundle), GOOD]) == (bundle, [GOOD])
    assert split_words(["folder", GOOD]) == (Path("folder"), [GOOD])
    assert split_words(["~/folder"]) == (tmp_path / "folder", [])
    assert split_words(["./mistyped", GOOD]) == (Path("mistyped"), [GOOD])  # to be refused
    texts = (
        "최고",
        "10/10 최고",
        "NUL\x00",
        "가" * 100_000,
        "",
        " ",
        "~~ 최고",
        "~nobody 최고",
        "~~",
    )
    for text in texts:
        assert split_words([text, BAD]) == (None, [text, BAD])


def test_without_a_bundle_the_newest_under_outputs_answers(
    tmp_path: Path, predictor: Predictor, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ("a-older", "b-newest", "c-oldest")
    for name in names:
        write_small_bundle(tmp_path / "outputs" / "runs" / name / "bundle", (f"not {name}", name))
    now = time.time()
    for name, age in zip(names, (50, 0, 100), strict=True):
        config = tmp_path / "outputs" / "runs" / name / "bundle" / "config.json"
        os.utime(config, (now - age, now - age))
    newest = Path("outputs") / "runs" / "b-newest" / "bundle"
    # Newer still, but only being written, or left behind by a run that was killed.
    shutil.copytree(newest, newest.parent / ".bundle-0123" / "bundle")
    assert newest_bundle(Path("outputs")) == newest
    assert main(["predict", GOOD]) == 0
    captured = capsys.readouterr()
    (answer,) = predictor([GOOD])
    assert rows(captured.out) == [f"b-newest\t{answer.probability:.4f}\t{GOOD}"]
    assert one_line(captured.err) == f"using {newest}"  # not in the output, which may be a file


@pytest.mark.parametrize("word", ["outputs/mistyped/bundle", "/nowhere/bundle", "./bundel"])
def test_a_mistyped_bundle_is_refused_and_not_classified(
    word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_small_bundle(Path("outputs") / "run" / "bundle")  # which must not answer instead
    assert str(Path(word)) in refused(["predict", word, GOOD], capsys)
    assert str(Path(word)) in refused(["predict", word], capsys)


def test_a_folder_that_is_no_bundle_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    Path("folder").mkdir()
    assert "config.json is missing" in refused(["predict", "folder", GOOD], capsys)


def test_without_a_bundle_of_ones_own_the_package_s_answers_and_is_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["predict", "정말 재미있어요"]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("positive\t")
    assert one_line(captured.err) == f"using {locate.PRETRAINED}"


def test_no_bundle_at_all_is_said_with_what_to_do(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locate, "PRETRAINED", Path("nowhere"))
    for _ in range(2):
        line = refused(["predict", GOOD], capsys)
        assert "outputs" in line
        assert "nsmc train" in line
        Path("outputs").mkdir(exist_ok=True)  # nor is there one in an empty folder


@pytest.mark.parametrize("name", ["nsmc.safetensors", "tokenizer.json", "config.json"])
@pytest.mark.parametrize("content", [None, b"", b"garbage\n\xff"])
def test_a_damaged_bundle_is_refused_in_one_line_that_names_the_file(
    name: str, content: bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_small_bundle(Path("bundle")) / name
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    assert name in refused(["predict", "bundle", GOOD], capsys)


def test_a_pretrained_encoder_is_not_taken_for_the_newest_bundle(tmp_path: Path) -> None:
    write_small_bundle(tmp_path / "classifier" / "bundle")
    encoder = write_small_bundle(tmp_path / "encoder" / "bundle") / "config.json"
    encoder.write_text(encoder.read_text().replace('"negative",\n    "positive"\n  ', ""))
    assert json.loads(encoder.read_text())["labels"] == []
    os.utime(encoder, (time.time() + 9, time.time() + 9))
    assert newest_bundle(tmp_path) == tmp_path / "classifier" / "bundle"


def test_a_run_s_folder_stands_for_its_bundle(
    bundle: Path, reviews: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in (
        ["predict", "RUN", GOOD],
        ["predict", "RUN", "--input", str(reviews)],
        ["evaluate", "RUN", "--input", str(reviews)],
    ):
        shown = []
        for folder in (bundle, bundle.parent):
            assert main([str(folder) if word == "RUN" else word for word in command]) == 0
            shown.append(capsys.readouterr().out)
        assert shown[0] == shown[1] != ""


def test_a_bundle_may_be_called_like_a_file(
    bundle: Path, predictor: Predictor, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(bundle, "bundle.zip")
    assert main(["predict", "bundle.zip", GOOD]) == 0
    assert rows(capsys.readouterr().out) == [row(predictor, GOOD)]


def test_pretrained_is_the_bundle_in_the_package_with_texts_and_without(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_small_bundle(Path("outputs") / "run" / "bundle")  # which must not answer instead
    expected = row(Predictor.load(), GOOD)
    assert main(["predict", "pretrained", GOOD]) == 0
    assert rows(capsys.readouterr().out) == [expected]
    stream = io.TextIOWrapper(io.BytesIO(GOOD.encode()))
    monkeypatch.setattr(sys, "stdin", stream)
    assert main(["predict", "pretrained"]) == 0
    assert rows(capsys.readouterr().out) == [expected]
