"""A sweep's jobs run as long as its first process holds their lock; nobody else is signalled."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from nsmc.runs.record import is_locked
from nsmc.sweeps.stopping import lock_for_jobs
from tests.commands import ENVIRONMENT, PROJECT

# In a process that a launcher starts: a job that never ends by itself.
JOB = """
import time
from nsmc.sweeps.stopping import run_until_stopped
def job():
    print("begun", flush=True)
    while True:
        time.sleep(0.01)
print(run_until_stopped(job), run_until_stopped(job), flush=True)
"""

# Another, which then asks for its requeueing, as submitit's does.
DONE = """
import sys
from nsmc.sweeps.stopping import run_until_stopped
print(run_until_stopped(lambda: 1.0), flush=True)
sys.exit(3)
"""

# Holds the lock while it starts a job, and is killed.
OWNER = f"""
import subprocess, sys
from pathlib import Path
from nsmc.sweeps.stopping import lock_for_jobs
with lock_for_jobs(Path(sys.argv[1])):
    subprocess.Popen([sys.executable, "-c", {JOB!r}]).wait()
"""

# The first process of a sweep; BODY is what happens while its jobs run.
FIRST = """
import os, signal, subprocess, sys, time
from pathlib import Path
from nsmc import termination
from nsmc.runs.record import is_locked
from nsmc.sweeps.stopping import lock_for_jobs, stopping_together
from nsmc.training.signals import Interrupted, raise_on_signals
raise_on_signals()
(folder,) = map(Path, sys.argv[1:])
try:
    with lock_for_jobs(folder) as lock, stopping_together(lock):
        (path,) = folder.iterdir()
        BODY
except BaseException as error:
    print(repr(error))
"""


def started(code: str, *arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", code, *arguments]
    environment = {**ENVIRONMENT, **os.environ, "PYTHONPATH": str(PROJECT)}
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    )


def said_by_first(body: Sequence[str], folder: Path) -> str:
    with started(FIRST.replace("BODY", "\n        ".join(body)), str(folder)) as process:
        assert process.stdout is not None
        return process.stdout.read()


def test_a_job_ends_when_the_lock_is_free_and_no_other_begins(tmp_path: Path) -> None:
    with lock_for_jobs(tmp_path) as lock, started(JOB) as job:
        assert job.stdout is not None and job.stdout.readline() == "begun\n"
        assert job.poll() is None
        lock.release()
        assert job.stdout.read() == "nan nan\n"
    assert job.returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_is_stopped_does_not_tear_down(tmp_path: Path) -> None:
    """Of torch, that takes seconds."""
    torn_down = "import atexit; atexit.register(print, 'torn down')\n"
    with lock_for_jobs(tmp_path) as lock, started(torn_down + JOB) as job:
        assert job.stdout is not None and job.stdout.readline() == "begun\n"
        lock.release()
        assert job.stdout.read() == "nan nan\n"
        with started(f"{torn_down}{JOB}") as later:  # which does not begin
            assert later.stdout is not None and later.stdout.read() == "nan nan\n"
    assert job.returncode == later.returncode == 0


def test_a_process_that_is_not_stopped_ends_with_its_exit_code(tmp_path: Path) -> None:
    with lock_for_jobs(tmp_path), started(DONE) as job:
        assert job.stdout is not None and job.stdout.read() == "1.0\n"
    assert job.returncode == 3


def test_a_job_ends_when_the_first_process_is_killed_and_the_next_sweep_runs(
    tmp_path: Path,
) -> None:
    with started(OWNER, str(tmp_path)) as owner:
        assert owner.stdout is not None and owner.stdout.readline() == "begun\n"
        owner.kill()
        assert owner.stdout.read() == "nan nan\n"
    (left_behind,) = tmp_path.iterdir()
    assert not is_locked(left_behind)
    with lock_for_jobs(tmp_path), started(JOB) as job:
        assert not left_behind.exists()
        assert job.stdout is not None and job.stdout.readline() == "begun\n"
        job.kill()


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_frees_the_lock_and_waits_for_the_jobs(tmp_path: Path, signum: int) -> None:
    body = (
        f"os.kill(os.getpid(), {int(signum)})",
        f"os.kill(os.getpid(), {int(signum)})",  # the same one, from the terminal
        "while is_locked(path): time.sleep(0.01)",
        "print('waited')",
        "raise RuntimeError('a process died')",
    )
    assert said_by_first(body, tmp_path) == f"waited\nInterrupted({int(signum)}, '')\n"


def test_a_second_signal_does_not_wait(tmp_path: Path) -> None:
    body = (
        "os.kill(os.getpid(), signal.SIGTERM)",
        "while is_locked(path): time.sleep(0.01)",
        "time.sleep(termination.SAME_SIGNAL_SECONDS + 0.1)",
        "os.kill(os.getpid(), signal.SIGTERM)",
        "while True: time.sleep(0.01)",
    )
    assert said_by_first(body, tmp_path) == "Interrupted(15, '')\n"


def test_processes_that_are_started_do_not_hear_the_terminal(tmp_path: Path) -> None:
    sleeping = "import time; print('begun', flush=True); time.sleep(0.5); print('lives')"
    body = (
        f"job = subprocess.Popen([sys.executable, '-c', {sleeping!r}], stdout=subprocess.PIPE)",
        "job.stdout.readline()",
        "os.killpg(0, signal.SIGINT)",
        "print(job.stdout.read(), job.wait())",
    )
    assert said_by_first(body, tmp_path) == "b'lives\\n' 0\nInterrupted(2, '')\n"
