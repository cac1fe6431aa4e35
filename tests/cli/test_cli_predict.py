"""`nsmc predict` with texts as arguments and on a pipe."""

import gzip
import io
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nsmc.cli import main
from nsmc.runtime.predictor import Predictor
from tests.cli.running import (
    BAD,
    COMMAND,
    GOOD,
    PATIENCE,
    environment,
    one_line,
    refused,
    row,
    rows,
    run,
)


def test_each_text_gets_a_line_with_label_probability_and_text(
    bundle: Path, predictor: Predictor, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = [GOOD, BAD, "a/b c", "q", "-_-", "--help me", "--;;", "--- 별로", "--최고", "--lol--"]
    texts += ["good movie", "-", "---", "--_--", "-h", "a.csv 최고"]
    assert main(["predict", str(bundle), *texts]) == 0
    captured = capsys.readouterr()
    assert rows(captured.out) == [row(predictor, text) for text in texts]
    assert captured.err == ""


@pytest.mark.parametrize(
    ("text", "echo"),
    [
        ("줄\n바꿈\t탭\r\x1b[31m빨강\x07", "줄\ufffd바꿈\ufffd탭\ufffd\ufffd[31m빨강\ufffd"),
        ("\x00", "\ufffd"),
        ("최고\ud83d", "최고\ufffd"),
        ("가" * 201, "가" * 200 + "…"),
        ("가" * 200, "가" * 200),
        ("👍🏽 최고", "👍🏽 최고"),
        ("최고\u202e", "최고\ufffd"),
    ],
    ids=[
        *("control characters", "NUL", "surrogate", "long", "just short enough", "emoji"),
        "turned writing direction",
    ],
)
def test_a_text_is_repeated_in_one_line_that_does_a_terminal_no_harm(
    bundle: Path, predictor: Predictor, capsys: pytest.CaptureFixture[str], text: str, echo: str
) -> None:
    assert main(["predict", str(bundle), text]) == 0
    assert rows(capsys.readouterr().out) == [row(predictor, text, echo)]


def test_an_empty_text_among_others_is_said_to_be_empty(
    bundle: Path, predictor: Predictor, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", str(bundle), GOOD, " \n", BAD]) == 0
    expected = [row(predictor, GOOD), "empty\t\t", row(predictor, BAD)]
    assert rows(capsys.readouterr().out) == expected


@pytest.mark.parametrize(
    ("option", "meant"),
    [
        *(("--inptu", "--input"), ("--imput=big.tsv", "--input"), ("--outptu", "--output")),
        *(("--INPUT", "--input"), ("--text-colum-n", "--text-column"), ("--fromat", "--format")),
    ],
)
@pytest.mark.parametrize("words", [[], ["--input", "reviews.tsv"]])
def test_a_mistyped_option_is_not_classified(
    bundle: Path,
    reviews: Path,
    option: str,
    meant: str,
    words: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    line = refused(["predict", str(bundle), *words, option, "big.tsv"], capsys)
    assert f"{option.partition('=')[0]}: no such option; did you mean {meant}?" in line


def test_a_review_like_an_option_goes_after_two_dashes(
    bundle: Path, predictor: Predictor, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "-- goes before a review" in refused(["predict", str(bundle), "--zzz"], capsys)
    assert main(["predict", str(bundle), "--", "--zzz"]) == 0
    assert rows(capsys.readouterr().out) == [row(predictor, "--zzz")]


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_is_no_review(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["predict", option])
    assert caught.value.code == 0
    assert "usage: nsmc predict" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["reviews.tsv", "reviews.CSV", "reviews.xlsx", "reviews.json.gz"])
@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("after_bundle", [True, False])
def test_a_word_that_is_called_like_a_file_of_reviews_is_not_classified(
    bundle: Path,
    name: str,
    there: bool,
    after_bundle: bool,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if there:
        Path(name).touch()
    line = refused(["predict", *([str(bundle)] if after_bundle else []), name], capsys)
    assert f"--input {name}" in line


def test_a_word_that_is_a_file_is_not_classified(capsys: pytest.CaptureFixture[str]) -> None:
    Path("리뷰").touch()
    assert "--input 리뷰" in refused(["predict", "리뷰"], capsys)


@pytest.mark.parametrize("option", ["--output", "--format", "--text-column", "--quoting"])
def test_an_option_for_files_is_not_classified_where_the_file_was_forgotten(
    bundle: Path, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = main(["predict", str(bundle), option, "tsv"])
    except SystemExit as error:
        code = int(error.code or 0)
    assert code != 0
    assert capsys.readouterr().out == ""


def test_a_pipe_is_answered_line_by_line(
    bundle: Path,
    predictor: Predictor,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = [GOOD, "", BAD, "   ", "exit", "", GOOD]  # a quitting word is a review here
    content = "\n".join(lines).encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content), encoding="ascii"))
    assert main(["predict", str(bundle)]) == 0
    expected = [row(predictor, line) if line.strip() else "empty\t\t" for line in lines]
    assert rows(capsys.readouterr().out) == expected


@pytest.mark.parametrize(("damaged", "code"), [(1, 0), (2, 1), (10, 1)])
def test_a_piped_line_that_is_not_utf_8_is_an_error_and_many_are_a_failure(
    bundle: Path,
    predictor: Predictor,
    damaged: int,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = [BAD.encode("cp949")] * damaged + [GOOD.encode()] * (10 - damaged)
    stream = io.BytesIO(b"\n".join(lines))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(stream, encoding="utf-8"))
    assert main(["predict", str(bundle)]) == code
    captured = capsys.readouterr()
    reason = "not UTF-8, looks like cp949: read it with --encoding cp949"
    errors = [f"error\t\tline {number}: {reason}" for number in range(1, damaged + 1)]
    assert rows(captured.out) == [*errors, *[row(predictor, GOOD)] * (10 - damaged)]
    if code:
        expected = f"nsmc: error: {damaged} of 10 rows cannot be read (line 1: {reason})"
        assert one_line(captured.err) == expected
    else:
        assert captured.err == ""


def piped(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BufferedReader(io.BytesIO(content)))
    monkeypatch.setattr(sys, "stdin", stream)


@pytest.mark.parametrize(
    ("content", "options"),
    [
        (gzip.compress(GOOD.encode()), []),
        (GOOD.encode("cp949"), ["--encoding", "cp949"]),
        (GOOD.encode("utf-16"), ["--encoding=utf-16"]),
    ],
    ids=["gzip", "cp949", "utf-16"],
)
def test_a_pipe_may_be_packed_and_in_another_encoding(
    bundle: Path,
    predictor: Predictor,
    content: bytes,
    options: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    piped(content, monkeypatch)
    assert main(["predict", str(bundle), *options]) == 0
    assert rows(capsys.readouterr().out) == [row(predictor, GOOD)]


def test_a_pipe_of_what_is_no_text_is_refused(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    piped(b"PK\x03\x04", monkeypatch)
    assert "standard input: an Excel workbook" in refused(["predict", str(bundle)], capsys)


def test_a_real_process_answers_arguments_and_pipes(bundle: Path, predictor: Predictor) -> None:
    done = run("predict", str(bundle), GOOD, BAD)
    assert (done.returncode, done.stderr) == (0, b"")
    assert rows(done.stdout.decode()) == [row(predictor, GOOD), row(predictor, BAD)]
    done = run("predict", str(bundle), stdin=f"{GOOD}\n\n{BAD}\n".encode())
    assert (done.returncode, done.stderr) == (0, b"")
    assert rows(done.stdout.decode()) == [row(predictor, GOOD), "empty\t\t", row(predictor, BAD)]
    done = run("predict", str(bundle), stdin=b"")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_strange_lines_on_a_pipe_get_a_line_each(bundle: Path, predictor: Predictor) -> None:
    lines = [  # as piped, as read, as repeated
        ("\ufeff첫 줄".encode(), "첫 줄", "첫 줄"),
        (b"\x00", "\x00", "\ufffd"),
        ("가".encode() * 340_000, "가" * 340_000, "가" * 200 + "…"),
        ("최고\r".encode(), "최고", "최고"),
        (
            "한\x0b두\x0c세\x1c네\x85".encode(),
            "한\x0b두\x0c세\x1c네\x85",
            "한\ufffd두\ufffd세\ufffd네\ufffd",
        ),
        ("\ufdd0 \U0010ffff".encode(), "\ufdd0 \U0010ffff", "\ufdd0 \U0010ffff"),
        ("끝".encode(), "끝", "끝"),
    ]
    done = run("predict", str(bundle), stdin=b"\n".join(line for line, _, _ in lines))
    assert (done.returncode, done.stderr) == (0, b"")
    assert rows(done.stdout.decode()) == [row(predictor, text, echo) for _, text, echo in lines]


def test_an_interrupted_pipe_ends_without_a_traceback(bundle: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, "predict", str(bundle)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(f"{GOOD}\n".encode())
        process.stdin.flush()
        # A line is answered as soon as it is there, not when the pipe ends.
        ready, _, _ = select.select([process.stdout], [], [], PATIENCE)
        assert ready
        assert process.stdout.readline().startswith(b"positive\t")
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 130
        assert process.stderr.read().strip() == b""
