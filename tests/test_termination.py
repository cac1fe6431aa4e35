"""A signal ends a command, whenever it comes, and leaves nothing unfinished behind."""

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.commands import GOOD, PROJECT, run_anew

# Forks a process for each attempt, which ends by itself or is told to end at a random moment.
ATTEMPTS = """
import os, random, select, signal, sys, time
import nsmc.cli.predict, nsmc.runtime.batch_predict, nsmc.runtime.predictor
from nsmc.termination import exit_on_signals
signum, count, folder, *words = sys.argv[1:]
signum, chance, longest = int(signum), random.Random(int(signum)), 0.0
signal.signal(signal.SIGINT, signal.SIG_DFL)
sys.argv = ["nsmc", *words]
for attempt in range(int(count)):
    begun, begins = os.pipe()
    child = os.fork()
    if child == 0:
        exit_on_signals("")
        os.write(begins, b"!")
        os._exit(nsmc.cli.main())
    os.read(begun, 1)
    os.close(begun), os.close(begins)
    start = time.monotonic()
    if attempt >= 3:  # the first ones are left alone, to know how long that takes
        time.sleep(chance.uniform(0, longest))
        os.kill(child, signum)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    longest = max(longest, time.monotonic() - start) if attempt < 3 else longest
    print(code, *sorted(os.listdir(folder)), flush=True)
    if os.path.exists(words[-1]):
        os.unlink(words[-1])
"""


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_at_whatever_moment_it_comes(tmp_path: Path, signum: signal.Signals) -> None:
    source, output = tmp_path / "reviews.txt", tmp_path / "answers.tsv"
    source.write_text("\n".join(GOOD * 200), encoding="utf-8")
    words = ["predict", "--input", str(source), "--output", str(output)]
    finished = script(ATTEMPTS, arguments=[str(int(signum)), "73", str(tmp_path), *words])
    outcomes = [line.split() for line in finished.stdout.splitlines()]
    assert len(outcomes) == 73
    for code, *names in outcomes:
        assert code in ("0", str(128 + signum))
        assert set(names) <= {source.name, output.name}
        assert code != "0" or output.name in names
    assert sum(code != "0" for code, *_ in outcomes) > 20


def test_a_main_thread_that_waits_is_woken() -> None:
    """One that another thread gets wakes it as little as one just before it begins to wait."""
    script(
        "import os, signal; from nsmc.termination import exit_on_signals",
        "exit_on_signals('said')",
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])",
        "os.kill(os.getpid(), signal.SIGTERM)",
        "os.read(os.pipe()[0], 1)",
        expect=143,
    )


LOSES = """
import contextlib, gc, os, signal, sys, time
from nsmc import termination
from nsmc.training.signals import Interrupted, raise_on_signals
raise_on_signals()
termination._NUDGES = int(sys.argv[2])  # 0.2 seconds each
class Destroyed:
    def __del__(self):
        told()
def told():
    os.kill(os.getpid(), int(sys.argv[1]))
    time.sleep(9)
"""


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    ("nudges", "loss"),
    [("99999", "Destroyed()"), ("1", "with contextlib.suppress(BaseException): told()")],
)
def test_an_interruption_that_is_swallowed_comes_again(
    signum: signal.Signals, nudges: str, loss: str
) -> None:
    lines = (
        *("try:", f"    {loss}", "    print('lost', flush=True)", "    while True: time.sleep(1)"),
        *("except (KeyboardInterrupt, Interrupted):", "    termination.leave(7)"),
    )
    finished = script(LOSES, *lines, arguments=[str(int(signum)), nudges], expect=7)
    assert (finished.stdout, finished.stderr) == ("lost\n", "")


def test_the_end_waits_for_what_is_registered_and_for_no_daemon() -> None:
    finished = script(
        "import atexit, threading; from nsmc.termination import leave",
        "threading.Thread(target=threading.Event().wait, daemon=True).start()",
        "threading.Thread(target=lambda: print('a thread', flush=True)).start()",
        "atexit.register(print, 'registered')",
        "leave(3)",
        expect=3,
    )
    assert finished.stdout == "a thread\nregistered\n"


def test_a_signal_that_is_ignored_stays_so_and_a_fork_is_on_its_own() -> None:
    finished = script(
        "import os, signal, warnings; from nsmc.termination import exit_on_signals",
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)",
        "exit_on_signals('said')",
        "os.kill(os.getpid(), signal.SIGHUP)",
        "warnings.simplefilter('ignore', DeprecationWarning)",  # from 3.12 on, of a fork
        "child = os.fork()",
        "child or os.kill(os.getpid(), signal.SIGTERM)",
        "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))",
    )
    assert (finished.stdout, finished.stderr) == ("143\n", "said\n")


def script(
    *lines: str, arguments: Sequence[str] = (), expect: int = 0
) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", "\n".join(lines), *arguments]
    return run_anew(command, expect, PYTHONPATH=str(PROJECT))


def test_what_a_handler_has_to_say_does_not_get_into_a_line_that_is_being_written() -> None:
    """Python calls handlers within a stream's write, where the stream must not be written to."""
    finished = script(
        "import os, signal, sys, threading; from nsmc.termination import call_soon, set_handlers",
        "said = threading.Event()",
        "def say():",
        "    print('in between', flush=True)",
        "    said.set()",
        "set_handlers(lambda *_: call_soon(say))",
        "class Raw(__import__('io').RawIOBase):",
        "    def writable(self): return True",
        "    def write(self, content):",
        "        os.kill(os.getpid(), signal.SIGTERM)",
        "        return os.write(1, content)",
        "sys.stdout = __import__('io').TextIOWrapper(__import__('io').BufferedWriter(Raw()))",
        "print('a line', flush=True)",
        "said.wait(60)",
        "os._exit(not said.is_set())",
    )
    assert finished.stdout.splitlines()[:2] == ["a line", "in between"]
