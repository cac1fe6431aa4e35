"""The `nsmc` command as a user meets it: arguments, a pipe, a terminal, and every way out."""

import gzip
import io
import json
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import nsmc
from nsmc.cli import main
from nsmc.data.tokenizer import save_tokenizer, train_tokenizer
from nsmc.runtime import choosing
from nsmc.runtime.bundle import expected_shapes, write_bundle
from nsmc.runtime.choosing import newest_bundle, split_words
from nsmc.runtime.conversation import PROMPT
from nsmc.runtime.loading import Bundle, read_bundle
from nsmc.runtime.predictor import Predictor
from tests.bundles import config_of

PROJECT = Path(__file__).parents[1]
PATIENCE = 60  # seconds for a process to start or answer on a busy machine

GOOD, BAD = "정말 최고예요", "별로 재미없는 영화"


def write_small_bundle(folder: Path, labels: tuple[str, str] = ("negative", "positive")) -> Path:
    """A bundle of random weights but for `ln1`, which finds GOOD positive and BAD negative."""
    texts = [GOOD, BAD, "good movie, 10 points!"]
    tokenizer = train_tokenizer(texts * 3, vocab_size=300, min_frequency=2, normalization="nfc")
    folder.parent.mkdir(parents=True, exist_ok=True)
    save_tokenizer(tokenizer, folder.parent / "tokenizer.json")
    config = config_of(
        architecture="gru",
        vocab_size=tokenizer.get_vocab_size(),
        embedding_dim=3,
        hidden_size=4,
        num_layers=1,
        bidirectional=False,
        pooling="last",
        pad_id=0,
        max_length=64,
        labels=labels,
    )
    generator = np.random.default_rng(0)
    tensors = {
        name: generator.normal(0, 1, shape).astype(np.float32)
        for name, shape in expected_shapes(config).items()
    }
    tensors["ln1.bias"][:] = 0
    random = Predictor(Bundle(config, tensors, tokenizer))
    good, bad = random.logits(random.encode([GOOD, BAD])) @ np.array([-1, 1], np.float32)
    tensors["ln1.weight"] *= 2 / (good - bad)
    tensors["ln1.bias"][1] = -(good + bad) / (good - bad)  # now their logits are 1 and -1 apart
    write_bundle(folder, config, tensors, folder.parent / "tokenizer.json", "")
    return folder


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_bundle(tmp_path_factory.mktemp("cli") / "bundle")


@pytest.fixture(scope="module")
def predictor(bundle: Path) -> Predictor:
    predictor = Predictor.load(bundle)
    assert [answer.label for answer in predictor([GOOD, BAD])] == ["positive", "negative"]
    return predictor


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)


def row(predictor: Predictor, text: str, echo: str | None = None) -> str:
    """The line that is promised for a text: label, probability, text."""
    (answer,) = predictor([text])
    return f"{answer.label}\t{answer.probability:.4f}\t{text if echo is None else echo}"


def rows(output: str) -> list[str]:
    assert output.endswith("\n")
    return output[:-1].split("\n")


def one_line(captured: str) -> str:
    assert captured.endswith("\n")
    assert captured.count("\n") == 1
    return captured[:-1]


# --- texts as arguments ---


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


def test_the_version_is_the_package_s(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"nsmc {nsmc.__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["predikt"], ["--fast"]])
def test_a_command_that_does_not_exist_ends_in_usage_and_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: nsmc" in capsys.readouterr().err


# --- which bundle ---


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


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(arguments) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    line = one_line(captured.err)
    assert line.startswith("nsmc: error: ")
    return line


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
    assert one_line(captured.err) == f"using {choosing.BOXED}"


def test_no_bundle_at_all_is_said_with_what_to_do(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choosing, "BOXED", Path("nowhere"))
    for _ in range(2):
        line = refused(["predict", GOOD], capsys)
        assert "outputs" in line
        assert "train.py" in line
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


def test_hydra_full_error_shows_the_whole_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    with pytest.raises(FileNotFoundError):
        main(["predict", "./nowhere", GOOD])


# --- a pipe ---


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
    reason = "not UTF-8, looks like cp949: convert it with iconv -f cp949 -t utf-8"
    errors = [f"error\t\tline {number}: {reason}" for number in range(1, damaged + 1)]
    assert rows(captured.out) == [*errors, *[row(predictor, GOOD)] * (10 - damaged)]
    if code:
        expected = f"nsmc: error: {damaged} of 10 rows cannot be read (line 1: {reason})"
        assert one_line(captured.err) == expected
    else:
        assert captured.err == ""


def test_a_pipe_of_what_is_no_text_is_refused(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stream = io.BytesIO(gzip.compress(GOOD.encode()))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(stream))
    assert "standard input: compressed by gzip" in refused(["predict", str(bundle)], capsys)


def environment(**changes: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    return {
        **kept,
        "PYTHONPATH": str(PROJECT),
        "LC_ALL": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "TERM": "xterm",
        "INPUTRC": "/dev/null",  # the user's own line editing must not matter
        **changes,
    }


COMMAND = [sys.executable, "-W", "error", "-m", "nsmc.cli"]


def run(*arguments: str, stdin: bytes = b"", **changes: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*COMMAND, *arguments],
        input=stdin,
        capture_output=True,
        timeout=PATIENCE,
        env=environment(**changes),
    )


def test_a_real_process_answers_arguments_and_pipes(bundle: Path, predictor: Predictor) -> None:
    done = run("predict", str(bundle), GOOD, BAD)
    assert (done.returncode, done.stderr) == (0, b"")
    assert rows(done.stdout.decode()) == [row(predictor, GOOD), row(predictor, BAD)]
    done = run("predict", str(bundle), stdin=f"{GOOD}\n\n{BAD}\n".encode())
    assert (done.returncode, done.stderr) == (0, b"")
    assert rows(done.stdout.decode()) == [row(predictor, GOOD), "empty\t\t", row(predictor, BAD)]
    done = run("predict", str(bundle), stdin=b"")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_real_process_refuses_in_one_line_and_exits_with_1() -> None:
    done = run("predict", "./nowhere", GOOD)
    assert (done.returncode, done.stdout) == (1, b"")
    assert "nowhere" in one_line(done.stderr.decode())


def test_a_closed_input_is_an_empty_one(bundle: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" <&-', "sh", *COMMAND, "predict", str(bundle)],
        capture_output=True,
        timeout=PATIENCE,
        env=environment(),
    )
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


def test_an_output_without_hangul_gets_question_marks(bundle: Path, predictor: Predictor) -> None:
    done = run("predict", str(bundle), GOOD, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, b"")
    assert rows(done.stdout.decode("ascii")) == [row(predictor, GOOD, "?? ????")]


@pytest.fixture
def many_lines(tmp_path: Path) -> Iterator[io.BufferedReader]:
    """A file whose answers fill every pipe, so that writing must wait for the reader."""
    path = tmp_path / "reviews.txt"
    path.write_text(f"{GOOD}\n" * 5_000, encoding="utf-8")
    with path.open("rb") as file:
        yield file


def test_a_reader_that_leaves_early_ends_the_command_quietly(
    bundle: Path, predictor: Predictor, many_lines: io.BufferedReader
) -> None:
    with subprocess.Popen(
        [*COMMAND, "predict", str(bundle)],
        stdin=many_lines,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().decode() == row(predictor, GOOD) + "\n"
        process.stdout.close()  # as `head -1` does
        assert process.stderr.read() == b""
        assert process.wait(PATIENCE) == 0


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


# --- a terminal ---

# The session's leader takes the terminal as its own, so that Ctrl-C reaches it as a signal.
IN_TERMINAL = """
import fcntl, runpy, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
sys.argv = ["nsmc", *sys.argv[1:]]
runpy.run_module("nsmc.cli", run_name="__main__", alter_sys=True)
"""


def session(bundle: Path, *typed: bytes) -> tuple[int, list[str]]:
    """Type each of these when the prompt is there; returns exit code and what followed each."""
    terminal, end = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", IN_TERMINAL, "predict", str(bundle)],
        stdin=end,
        stdout=end,
        stderr=end,
        start_new_session=True,
        env=environment(),
    )
    os.close(end)
    try:
        before = read_until(terminal, PROMPT.encode())
        assert before.endswith(PROMPT.encode()), before
        shown = []
        for keys in typed[:-1]:
            os.write(terminal, keys)
            shown.append(read_until(terminal, PROMPT.encode()))
        os.write(terminal, typed[-1])
        shown.append(read_until(terminal, None, again=typed[-1]))
        return process.wait(PATIENCE), [part.decode(errors="replace") for part in shown]
    finally:
        process.kill()
        process.wait()
        os.close(terminal)


def read_until(terminal: int, awaited: bytes | None, again: bytes = b"") -> bytes:
    """What the terminal shows up to and with `awaited`, or, for None, until the program ends.

    A signal between readline's prompt and its wait for keys is noticed only with the next key: so
    when nothing happens for some seconds, `again` is typed, as a user would.
    """
    shown = b""
    deadline = time.monotonic() + PATIENCE
    while awaited is None or awaited not in shown:
        assert time.monotonic() < deadline, f"waited in vain for {awaited!r} after {shown!r}"
        ready, _, _ = select.select([terminal], [], [], 5)
        try:
            if ready:
                shown += os.read(terminal, 65536)
            else:
                os.write(terminal, again)
        except OSError:  # how Linux says that the other end was closed
            assert awaited is None, shown
            break
    return shown


@pytest.mark.parametrize(
    "keys",
    [b"q\n", b"exit\n", b"quit\n", b" Quit \n", b"\x04", b"\x03", "영화\x03".encode()],
    ids=["q", "exit", "quit", "Quit", "Ctrl-D", "Ctrl-C", "Ctrl-C amid a review"],
)
def test_a_terminal_session_answers_in_korean_and_every_way_out_is_quiet(
    bundle: Path, predictor: Predictor, keys: bytes
) -> None:
    good, bad = predictor([GOOD, BAD])
    code, shown = session(bundle, f"{GOOD}\n".encode(), b"\n", f" {BAD} \n".encode(), keys)
    assert f"긍정적인 리뷰 ({good.probability:.1%})\r\n" in shown[0]
    assert "리뷰 (" not in shown[1]  # an empty line is asked again
    assert f"부정적인 리뷰 ({bad.probability:.1%})\r\n" in shown[2]
    assert code == 0
    assert "Traceback" not in shown[3]
    assert "Error" not in shown[3]
    assert "리뷰 (" not in shown[3]


def test_a_terminal_survives_what_is_not_utf_8(bundle: Path) -> None:
    code, shown = session(bundle, b"\xff\xfe!\n", f"{GOOD}\n".encode(), b"q\n")
    assert "리뷰 (" in shown[0]
    assert "긍정적인 리뷰 (" in shown[1]
    assert code == 0


def test_a_bundle_with_labels_of_its_own_answers_with_those(tmp_path: Path) -> None:
    folder = write_small_bundle(tmp_path / "bundle", ("별로", "추천"))
    code, shown = session(folder, f"{GOOD}\n".encode(), b"q\n")
    assert "추천 (" in shown[0]
    assert code == 0


def test_a_pretrained_encoder_is_not_taken_for_the_newest_bundle(tmp_path: Path) -> None:
    write_small_bundle(tmp_path / "classifier" / "bundle")
    encoder = write_small_bundle(tmp_path / "encoder" / "bundle") / "config.json"
    encoder.write_text(encoder.read_text().replace('"negative",\n    "positive"\n  ', ""))
    assert json.loads(encoder.read_text())["labels"] == []
    os.utime(encoder, (time.time() + 9, time.time() + 9))
    assert newest_bundle(tmp_path) == tmp_path / "classifier" / "bundle"


# --- files ---

HEADER = ["line", "id", "label", "probability", "document", "error"]


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    """Ten reviews, in turn good and bad, which are all said to be good, and a damaged row."""
    path = tmp_path / "reviews.tsv"
    lines = [f"{n}\t{(GOOD, BAD)[n % 2]}\t1\n" for n in range(10)]
    path.write_text("id\tdocument\tlabel\n" + "".join(lines) + "10\tcut\n", encoding="utf-8")
    return path


def table(output: str) -> list[dict[str, str]]:
    header, *lines = (line.split("\t") for line in rows(output))
    assert header == HEADER
    return [dict(zip(header, line, strict=True)) for line in lines]


def test_a_file_is_answered_row_by_row_and_damage_is_said_with_its_line(
    bundle: Path, reviews: Path, predictor: Predictor, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", str(bundle), "--input", str(reviews)]) == 0
    captured = capsys.readouterr()
    found = table(captured.out)
    assert [row["id"] for row in found] == [*map(str, range(10)), ""]
    assert [row["label"] for row in found] == ["positive", "negative"] * 5 + [""]
    assert [row["document"] for row in found] == [GOOD, BAD] * 5 + [""]
    error = "2 fields where the header has 3"
    assert [row["error"] for row in found] == [""] * 10 + [error]
    for row, answer in zip(found, predictor([GOOD, BAD] * 5), strict=False):
        assert float(row["probability"]) == pytest.approx(answer.probability, abs=2e-6)
    assert one_line(captured.err) == f"nsmc: line 12: {error}"


@pytest.mark.parametrize(
    "options",
    [
        ["BUNDLE", "--input", "reviews.tsv", "--output", "out.jsonl"],
        ["--input", "reviews.tsv", "--output", "out.jsonl", "BUNDLE"],
        ["BUNDLE", "--output=out.jsonl", "--input=reviews.tsv", "--format", "tsv"],
        ["--column", "document", "BUNDLE", "--input=reviews.tsv", "--output", "out.jsonl"],
    ],
)
def test_options_stand_in_any_order(
    bundle: Path,
    reviews: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
) -> None:
    words = [str(bundle) if word == "BUNDLE" else word for word in options]
    assert main(["predict", *words]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines()[-1] == "11 reviews -> out.jsonl"
    found = [json.loads(line) for line in rows((tmp_path / "out.jsonl").read_text("utf-8"))]
    assert [row.get("document") for row in found] == [GOOD, BAD] * 5 + [None]


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


def test_the_column_of_the_reviews_can_be_named(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("reviews.csv").write_text(f'평,별점\n"{GOOD}",5\n', encoding="utf-8")
    assert main(["predict", str(bundle), "--input", "reviews.csv", "--column", "평"]) == 0
    assert GOOD in capsys.readouterr().out


@pytest.mark.parametrize("command", ["predict", "evaluate"])
@pytest.mark.parametrize("output", [[], ["--output", "out.tsv"]])
def test_a_column_that_is_not_there_is_refused_with_those_that_are(
    bundle: Path,
    reviews: Path,
    command: str,
    output: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = [command, str(bundle), "--input", str(reviews), "--column", "review"]
    line = refused([*words, *(output if command == "predict" else [])], capsys)
    assert "no column 'review'" in line
    assert "id, document, label" in line
    assert not Path("out.tsv").exists()


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_a_column_that_an_nsmc_file_has_not_is_refused_though_it_is_called_txt(
    bundle: Path, reviews: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    reviews.rename("ratings.txt")
    words = [command, str(bundle), "--input", "ratings.txt", "--column", "review"]
    assert "no column 'review'" in refused(words, capsys)


@pytest.mark.parametrize("command", ["predict", "evaluate"])
@pytest.mark.parametrize("name", ["nowhere.tsv", "nowhere.txt", "nowhere", "folder"])
def test_a_file_that_is_not_there_is_refused_by_its_name(
    bundle: Path, command: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("folder").mkdir()
    line = refused([command, str(bundle), "--input", name], capsys)
    problem = "a folder; name a file in it" if name == "folder" else "no such file"
    assert f"{name}: {problem}" in line


def test_texts_together_with_a_file_are_refused(
    bundle: Path, reviews: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = refused(["predict", str(bundle), GOOD, "--input", str(reviews)], capsys)
    assert "--input takes the reviews from the file alone" in line
    assert GOOD in line


def test_beside_a_file_the_one_word_is_a_bundle_whether_it_is_there_or_not(
    reviews: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", "pretrained", "--input", str(reviews)]) == 0
    assert len(table(capsys.readouterr().out)) == 11
    line = refused(["predict", "nowhere", "--input", str(reviews)], capsys)
    assert "nowhere: no such folder; a bundle is a folder" in line


def test_a_format_that_does_not_exist_ends_in_usage(
    bundle: Path, reviews: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["predict", str(bundle), "--input", str(reviews), "--format", "xlsx"])
    assert caught.value.code == 2
    assert "jsonl" in capsys.readouterr().err


@pytest.mark.parametrize(("damaged", "code"), [(1, 0), (2, 1), (11, 1)])
def test_a_file_of_too_many_damaged_rows_is_answered_and_is_a_failure(
    bundle: Path, damaged: int, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [f"{n}\t{GOOD}\n".encode("cp949" if n < damaged else "utf-8") for n in range(11)]
    Path("a.tsv").write_bytes(b"id\tdocument\n" + b"".join(lines))
    words = ["predict", str(bundle), "--input", "a.tsv", "--output", "out.tsv"]
    assert main(words) == code
    found = table(Path("out.tsv").read_text("utf-8"))
    assert [bool(row["error"]) for row in found] == [n < damaged for n in range(11)]
    last = capsys.readouterr().err.splitlines()[-1]
    if code:
        reason = "line 2: not UTF-8, looks like cp949: convert it with iconv -f cp949 -t utf-8"
        assert last == f"nsmc: error: {damaged} of 11 rows cannot be read ({reason})"
    else:
        assert last == "11 reviews -> out.tsv"


@pytest.mark.parametrize("command", ["predict", "evaluate"])
@pytest.mark.parametrize("name", ["a.tsv.gz", "a.json", "a.xlsx"])
def test_a_file_of_a_format_that_is_not_read_is_refused(
    bundle: Path, reviews: Path, command: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [command, str(bundle), "--input", name]
    Path(name).write_bytes(gzip.compress(reviews.read_bytes()))
    line = refused(words, capsys)
    assert name in line
    assert "--format tsv, csv, jsonl or text" in line
    assert "compressed by gzip" in refused([*words, "--format", "tsv"], capsys)


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


def test_a_bundle_may_be_called_like_a_file(
    bundle: Path, predictor: Predictor, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(bundle, "bundle.zip")
    assert main(["predict", "bundle.zip", GOOD]) == 0
    assert rows(capsys.readouterr().out) == [row(predictor, GOOD)]


@pytest.mark.parametrize(
    ("option", "meant"),
    [
        *(("--inptu", "--input"), ("--imput=big.tsv", "--input"), ("--outptu", "--output")),
        *(("--INPUT", "--input"), ("--colum-n", "--column"), ("--fromat", "--format")),
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


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_is_no_review(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["predict", option])
    assert caught.value.code == 0
    assert "usage: nsmc predict" in capsys.readouterr().out


@pytest.mark.parametrize("option", ["--output", "--format", "--column"])
def test_an_option_for_files_is_not_classified_where_the_file_was_forgotten(
    bundle: Path, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = main(["predict", str(bundle), option, "tsv"])
    except SystemExit as error:
        code = int(error.code or 0)
    assert code != 0
    assert capsys.readouterr().out == ""


def test_an_output_that_cannot_be_written_is_refused_in_one_line(
    bundle: Path, reviews: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["predict", str(bundle), "--input", str(reviews), "--output", "nowhere/out.tsv"]
    assert "cannot write nowhere/out.tsv" in refused(words, capsys)


def test_a_real_process_reads_a_pipe_and_writes_a_file_of_many_rows(bundle: Path) -> None:
    lines = [json.dumps({"id": i, "document": f"{GOOD} {i}"}) for i in range(5_000)]
    words = ["--input", "-", "--format", "jsonl", "--output", "out.csv"]
    done = run("predict", str(bundle), *words, stdin="\n".join(lines).encode())
    assert (done.returncode, done.stdout) == (0, b"")
    assert one_line(done.stderr.decode()) == "5,000 reviews -> out.csv"
    found = rows(Path("out.csv").read_text("utf-8"))
    assert [line.split(",")[1] for line in found] == ["id", *map(str, range(5_000))]


def test_a_reader_that_leaves_a_file_s_answers_early_ends_the_command_quietly(
    bundle: Path, many_lines: io.BufferedReader
) -> None:
    with subprocess.Popen(
        [*COMMAND, "predict", str(bundle), "--input", "-"],
        stdin=many_lines,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith(b"positive\t")
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(PATIENCE) == 0


def test_a_named_pipe_can_be_read_as_a_shell_s_substitution_makes_one(bundle: Path) -> None:
    done = subprocess.run(
        ["bash", "-c", f'exec "$@" --input <(echo "{GOOD}")', "-", *COMMAND, "predict", bundle],
        capture_output=True,
        timeout=PATIENCE,
        env=environment(),
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"positive\t")


# --- evaluate, info, convert ---


def test_evaluate_shows_its_measures_and_says_what_was_left_out(
    bundle: Path, reviews: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(bundle), "--input", str(reviews)]) == 0
    captured = capsys.readouterr()
    assert "accuracy                        0.5000" in captured.out
    assert BAD in captured.out.split("most confident mistakes")[1]
    assert "left out                             1 of 11 rows\n" in captured.out
    assert one_line(captured.err) == "nsmc: line 12 left out: 2 fields where the header has 3"


def test_evaluate_as_json_is_one_object(
    bundle: Path, reviews: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "--json", "--input", str(reviews), str(bundle)]) == 0
    content = json.loads(capsys.readouterr().out)
    assert (content["rows"], content["left_out"], content["reviews"]) == (11, 1, 10)
    assert (content["accuracy"], content["auroc"]) == (0.5, None)
    assert content["confusion"] == [[0, 0], [5, 5]]
    assert [each["line"] for each in content["skipped"]] == [12]


def test_evaluate_takes_labels_of_another_name_and_the_bundle_s_own(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("a.csv").write_text(f"document,truth\n{GOOD},positive\n{BAD},negative\n", "utf-8")
    words = ["evaluate", str(bundle), "--input", "a.csv", "--json", "--label", "truth"]
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out)["accuracy"] == 1
    assert "no column 'label'" in refused(words[:-2], capsys)


def test_evaluate_refuses_files_without_labels(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("plain.txt").write_text(GOOD, "utf-8")
    assert "has no labels" in refused(["evaluate", str(bundle), "--input", "plain.txt"], capsys)


@pytest.mark.parametrize("json_option", [[], ["--json"]])
def test_evaluate_refuses_stars_however_they_are_measured(
    bundle: Path, json_option: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [f"{GOOD},{1 + n % 5}\n" for n in range(50)]
    Path("a.csv").write_text("review,stars\n" + "".join(lines), "utf-8")
    words = ["evaluate", str(bundle), "--input", "a.csv", "--column", "review", *json_option]
    line = refused([*words, "--label", "stars"], capsys)
    assert "line 3: label '2' is not one of the bundle's" in line
    assert "'1', '2', '3', '4', '5'" in line


@pytest.mark.parametrize("json_option", [[], ["--json"]])
def test_evaluate_refuses_a_file_in_another_encoding_whose_ascii_rows_it_can_read(
    bundle: Path, json_option: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [f"{n}\t{GOOD if n % 7 else 'good'}\t1\n".encode("cp949") for n in range(70)]
    Path("a.tsv").write_bytes(b"id\tdocument\tlabel\n" + b"".join(lines))
    line = refused(["evaluate", str(bundle), "--input", "a.tsv", *json_option], capsys)
    assert "60 of 70 rows cannot be read" in line
    assert "iconv -f cp949 -t utf-8" in line


def test_evaluate_says_what_is_undefined(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.csv").write_text(f"document,label\n{BAD},0\n", "utf-8")
    words = ["evaluate", str(bundle), "--input", "a.csv"]
    assert main(words) == 0
    assert capsys.readouterr().out.count(" undefined\n") == 2
    assert main([*words, "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert (content["auroc"], content["f1"], content["accuracy"]) == (None, None, 1)


def test_info_says_the_same_of_a_bundle_and_of_its_run_with_json_and_without(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["info", str(bundle.parent)]) == 0
    assert "GRU 4, 1 layer(s), one direction" in capsys.readouterr().out
    assert main(["info", str(bundle), "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["folder"] == str(bundle)
    assert content["labels"] == ["negative", "positive"]
    assert "no such folder" in refused(["info", "nowhere"], capsys)


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


def test_convert_refuses_in_one_line(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["convert", str(bundle), "--to", "float16", "--output", str(bundle)]
    assert "the bundle itself is there" in refused(words, capsys)
    with pytest.raises(SystemExit) as caught:
        main(["convert", str(bundle)])
    assert caught.value.code == 2


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


def test_a_csv_of_an_old_macintosh_is_refused_in_one_line(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("mac.csv").write_bytes(b"id,document\r1,good\r2,bad\r")
    assert "mac.csv" in refused(["predict", str(bundle), "--input", "mac.csv"], capsys)


@pytest.mark.parametrize("stream, line", [("<&-", "standard input"), (">&-", "standard output")])
def test_a_closed_stream_is_said_in_one_line(bundle: Path, stream: str, line: str) -> None:
    table = bundle.parent / "reviews.csv"
    table.write_text(f"document\n{GOOD}\n", encoding="utf-8")
    source = "-" if stream == "<&-" else str(table)
    done = shell(f"-m nsmc.cli predict '{bundle}' --input '{source}' --format csv {stream}")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"nsmc: error: {line} is closed")
    assert done.stderr.count("\n") == 1


def test_without_standard_error_messages_do_not_get_among_the_answers(tmp_path: Path) -> None:
    done = shell(f"-m nsmc.cli predict '{GOOD}' 2>&-", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.count("\n") == 1
    assert done.stdout.endswith(f"{GOOD}\n")


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP])
def test_ended_from_outside_it_leaves_no_unfinished_file(
    bundle: Path, tmp_path: Path, signum: signal.Signals
) -> None:
    command = [sys.executable, "-m", "nsmc.cli", "predict", str(bundle), "--input", "-"]
    command += ["--format", "text", "--output", str(tmp_path / "answers.tsv")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(f"{GOOD}\n".encode() * 3_000)  # and more may follow
        process.stdin.flush()
        deadline = time.monotonic() + PATIENCE
        while not any(tmp_path.glob(".nsmc-*.tmp")):
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.05)
        process.send_signal(signum)
        assert process.wait(PATIENCE) == 128 + signum
    assert not list(tmp_path.iterdir())


def shell(words: str, cwd: Path = PROJECT) -> "subprocess.CompletedProcess[str]":
    """Python with `words`, as a shell runs it: a stream can be closed there."""
    command = f"exec '{sys.executable}' {words}"
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "PYTHONUTF8": "1"}
    return subprocess.run(
        command, shell=True, capture_output=True, text=True, cwd=cwd, env=environment, check=False
    )


# --- what reaches a terminal ---

ESCAPE = "\x1b]0;title\x07\x1b[2J"


class Terminal(io.StringIO):
    """Stands for a terminal that keeps what it was told."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    "words",
    [
        ["predict", f"/nowhere/{ESCAPE}", GOOD],
        ["predict", "pretrained", "--input", f"{ESCAPE}.txt"],
        ["evaluate", "pretrained", "--input", f"{ESCAPE}.tsv"],
        ["info", f"{ESCAPE}/bundle"],
        ["convert", ESCAPE, "--to", "float16"],
    ],
)
def test_an_error_quotes_nothing_that_a_terminal_would_obey(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    line = refused(words, capsys)
    assert "\x1b" not in line and "\x07" not in line
    assert "]0;title" in line


def test_an_argument_that_is_refused_is_quoted_without_escapes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["info", "pretrained", ESCAPE])
    assert "\x1b" not in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["tsv", "csv", "jsonl", "text"])
def test_answers_are_cleaned_on_a_terminal_and_left_alone_in_a_pipe(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    text = f"최고 {ESCAPE}"
    content = {
        "tsv": f"document\n{text}\n",
        "csv": f"document\n{text}\n",
        "jsonl": json.dumps({"document": f"{text}\u2028\x9b"}) + "\n",
        "text": f"{text}\n",
    }
    source = tmp_path / "reviews"
    source.write_text(content[kind], encoding="utf-8", newline="")
    words = ["predict", str(bundle), "--input", str(source), "--format", kind]
    terminal, pipe = Terminal(), io.StringIO()
    for stream in (terminal, pipe):
        monkeypatch.setattr(sys, "stdout", stream)
        assert main(words) == 0
    shown = terminal.getvalue()
    assert not any(char in shown for char in "\x1b\x07\x9b\u2028\r")
    assert shown.count("\n") == pipe.getvalue().count("\n")
    assert ("\\u001b" if kind == "jsonl" else "\x1b") in pipe.getvalue()


def test_a_bundle_s_names_are_cleaned_in_every_form_of_info(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_small_bundle(tmp_path / "bundle")
    config = tmp_path / "bundle" / "config.json"
    content = json.loads(config.read_text()) | {"metrics": {f"{ESCAPE}\x9b\u202e": 0.5}}
    config.write_text(json.dumps(content))
    for words in (["info"], ["info", "--json"]):
        monkeypatch.setattr(sys, "stdout", terminal := Terminal())
        assert main([*words, str(tmp_path / "bundle")]) == 0
        assert not any(char in terminal.getvalue() for char in "\x1b\x07\x9b\u202e")
