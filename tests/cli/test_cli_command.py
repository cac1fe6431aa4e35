"""The command around its subcommands: usage, exit codes, closed streams."""

import atexit
import gc
import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import nsmc
from nsmc.cli import main
from nsmc.runtime.predictor import Predictor
from tests.cli.running import (
    COMMAND,
    GOOD,
    PATIENCE,
    PROJECT,
    environment,
    one_line,
    row,
    rows,
    run,
)


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


def test_hydra_full_error_shows_the_whole_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    with pytest.raises(FileNotFoundError):
        main(["predict", "./nowhere", GOOD])


@pytest.fixture
def at_exit(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], object]]:
    """What is to be called when the process ends."""
    found: list[Callable[[], object]] = []
    monkeypatch.setattr(atexit, "register", found.append)
    return found


@pytest.fixture
def without_collector() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("without_collector")
def test_a_program_that_calls_it_keeps_its_garbage_collector_as_it_is(
    bundle: Path, at_exit: list[Callable[[], object]]
) -> None:
    assert main(["predict", str(bundle), GOOD]) == 0
    assert not gc.isenabled() and at_exit == []
    gc.enable()
    assert main(["explain", str(bundle), GOOD]) == 0
    assert gc.isenabled() and at_exit == []


@pytest.mark.parametrize("command", ["predict", "explain"])
def test_the_command_itself_ends_without_a_search_for_cycles(
    command: str, bundle: Path, at_exit: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["nsmc", command, str(bundle), GOOD])
    monkeypatch.setattr("nsmc.cli.command.exit_on_signals", lambda message: None)
    assert main() == 0
    assert at_exit == [gc.freeze]


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


def test_an_output_without_hangul_gets_question_marks(bundle: Path, predictor: Predictor) -> None:
    done = run("predict", str(bundle), GOOD, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, b"")
    assert rows(done.stdout.decode("ascii")) == [row(predictor, GOOD, "?? ????")]


@pytest.mark.parametrize("more", [[], ["--input", "-"]])
def test_a_reader_that_leaves_early_ends_the_command_quietly(
    bundle: Path, many_lines: io.BufferedReader, more: list[str]
) -> None:
    with subprocess.Popen(
        [*COMMAND, "predict", str(bundle), *more],
        stdin=many_lines,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith(b"positive\t")
        process.stdout.close()  # as `head -1` does
        assert process.stderr.read() == b""
        assert process.wait(PATIENCE) == 0


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


def shell(words: str, cwd: Path = PROJECT) -> "subprocess.CompletedProcess[str]":
    """Python with `words`, as a shell runs it: a stream can be closed there."""
    command = f"exec '{sys.executable}' {words}"
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "PYTHONUTF8": "1"}
    return subprocess.run(
        command, shell=True, capture_output=True, text=True, cwd=cwd, env=environment, check=False
    )
