"""A process forked from a warm one is as a new one, and a server that fails says so."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import forkserver
from tests.commands import ENVIRONMENT, run, run_anew
from tests.forkserver import ForkedProcess

both = pytest.mark.parametrize("runner", [run, run_anew])
Runner = Callable[..., "subprocess.CompletedProcess[str]"]


def script(folder: Path, *lines: str) -> list[str]:
    path = folder / "script.py"
    path.write_text("\n".join(["import atexit, os, random, signal, sys", *lines]) + "\n")
    return [sys.executable, str(path), "one", "two words"]


@both
def test_a_process_has_its_own_everything(runner: Runner, tmp_path: Path) -> None:
    command = script(
        tmp_path,
        "atexit.register(print, 'at the end', file=sys.stderr)",
        "print(sys.argv[1:], __name__, os.environ['GIVEN'], os.environ.get('SET'), os.getcwd())",
        "os.environ['SET'] = 'by the process before'",
        "handlers = {signal.getsignal(s) for s in (signal.SIGTERM, signal.SIGCHLD)}",
        "print(handlers == {signal.SIG_DFL}, signal.pthread_sigmask(signal.SIG_BLOCK, []))",
    )
    said = f"['one', 'two words'] __main__ 정말 None {tmp_path}\nTrue set()\n"
    for _ in range(2):
        finished = runner(command, cwd=tmp_path, GIVEN="정말")
        assert finished.stdout == said
        # Triton, of torch 2.15, says at the end of a fork what it holds there.
        assert finished.stderr.partition("nanobind: leaked")[0] == "at the end\n"


@both
@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("sys.exit(3)", 3),
        ("sys.exit('said')", 1),
        ("raise ValueError('said')", 1),
        ("os._exit(5)", 5),
        ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
        ("os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
        ("os.kill(os.getpid(), signal.SIGINT)", -signal.SIGINT),
    ],
)
def test_every_end_has_its_code(runner: Runner, tmp_path: Path, line: str, code: int) -> None:
    finished = runner(script(tmp_path, line), code)
    assert ("said" in finished.stderr) == ("said" in line)


def test_random_numbers_are_not_those_of_the_process_before(tmp_path: Path) -> None:
    command = script(tmp_path, "import numpy", "print(random.random(), numpy.random.random())")
    first, second = (run(command).stdout.split() for _ in range(2))
    assert not {*first} & {*second}


def test_a_process_does_not_outlive_its_context(tmp_path: Path) -> None:
    with ForkedProcess(script(tmp_path, "signal.pause()"), tmp_path, ENVIRONMENT, 1, 2) as process:
        assert process.poll() is None
        with pytest.raises(TimeoutError, match="did not end"):
            process.wait(timeout=0)
    assert process.returncode == -signal.SIGKILL
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)


def test_what_only_a_new_python_heeds_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="PYTHONHASHSEED"):
        run(script(tmp_path), PYTHONHASHSEED="1")


@pytest.mark.parametrize("failure", ["dead", "dies", "hangs"])
def test_a_server_that_fails_is_named(
    failure: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = socket.socketpair()
    monkeypatch.setattr(forkserver, "_server", lambda: ours)
    with ours, theirs:
        if failure == "dead":
            theirs.close()
        elif failure == "dies":
            threading.Timer(0.1, theirs.close).start()
        else:
            monkeypatch.setattr(forkserver, "PATIENCE", 0)
        with pytest.raises(RuntimeError, match=r"no process from tests/forkserver_process\.py"):
            run(script(tmp_path))
