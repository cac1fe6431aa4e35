"""Stops the jobs that a launcher runs in processes of their own as one job alone is stopped.

The sweep's first process holds a lock for as long as its jobs are to run. It lets go when a signal
tells it to end; when it is killed, the system does. Each job's process watches that lock. When it
is free, that process signals itself: its job finishes the step and writes its checkpoint, and those
that have not begun do not begin. So no process signals another, nothing that a folder says is acted
on, and no stop outlives the sweep that it was meant for.

A terminal sends Ctrl-C to all processes at once. The jobs' must not hear it: it would also come
where it ends them, as in their imports, and where one of them ends a launcher kills the others. So
they are started with those signals blocked, and let through only the one that they send themselves.
"""

import atexit
import math
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from multiprocessing import resource_tracker
from pathlib import Path
from types import FrameType

from filelock import FileLock

from nsmc.config.overrides import pasteable
from nsmc.runs.record import is_locked
from nsmc.sweeps.process_lock import hold_process_lock, release_process_lock
from nsmc.termination import SAME_SIGNAL_SECONDS, SIGNALS, call_due, call_soon, exception_arrived
from nsmc.training.signals import Interrupted, raise_on_signals

_LOCK = "NSMC_SWEEP_LOCK"  # the environment variable with the lock's path, for jobs' processes
_SECONDS_BETWEEN_LOOKS = 0.2

# In a process that a launcher has started for jobs: it must stop; it runs no job just now.
_must_stop, _is_idle = threading.Event(), threading.Event()


def how_to_go_on(sweep_folder: Path) -> str:
    """What to do after a sweep was stopped."""
    name = pasteable("sweep", sweep_folder.name)
    return f"the same command with {name} goes on with what is missing"


@contextmanager
def lock_for_jobs(sweep_folder: Path) -> Iterator[FileLock]:
    """Hold the lock that the jobs in processes of this machine watch: free, it tells them to stop.

    For the whole sweep, as a launcher may use a process for several launches.
    """
    lock = hold_process_lock(sweep_folder, "sweep")
    os.environ[_LOCK] = lock.lock_file
    try:
        yield lock
    finally:
        del os.environ[_LOCK]
        release_process_lock(lock)


@contextmanager
def stopping_together(lock: FileLock) -> Iterator[None]:
    """While jobs run in other processes, let a signal that ends a program free their lock.

    Raises Interrupted, once they have ended, where one came. A second one, unless it comes within a
    second, does what the first would have done before, and does not wait for them.
    """
    received: list[tuple[int, float]] = []

    def free_the_lock(signum: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if not received:
            received.append((signum, now))
            call_soon(lock.release)
        elif now - received[0][1] > SAME_SIGNAL_SECONDS:
            earlier = before[signum]
            if callable(earlier):
                earlier(signum, frame)

    heeded = [signum for signum in SIGNALS if signal.getsignal(signum) != signal.SIG_IGN]
    before = {signum: signal.signal(signum, free_the_lock) for signum in heeded}
    try:
        with _signals_blocked():
            yield
    except Exception:  # a job that is stopped may fail, or take others with it
        if not received:
            raise
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
        call_due()
    if received:
        raise Interrupted(received[0][0])


@contextmanager
def _signals_blocked() -> Iterator[None]:
    """Start processes in which the signals that end a program are blocked.

    This one still hears them, in the thread that watches for them (see nsmc/termination.py).
    """
    resource_tracker.ensure_running()  # which lets the signals through where it is started later
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def is_started_for_jobs() -> bool:
    """Whether a launcher has started this process for jobs of a sweep on this machine."""
    return _LOCK in os.environ


def run_until_stopped(job: Callable[[], float]) -> float:
    """Run a job in a process that a launcher has started; NaN if the job has to stop.

    Nothing is raised then, whatever the job was at: a launcher would kill the others.
    """
    lock = Path(os.environ[_LOCK])
    _exit_without_teardown()
    if not is_locked(lock):
        _must_stop.set()
        return math.nan
    try:
        try:
            _unblock_sigterm()
            _is_idle.clear()
            _watch(lock)
            if not _must_stop.is_set():
                return job()
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            _is_idle.set()
    except (KeyboardInterrupt, Interrupted):
        exception_arrived()
    except Exception:
        if not _must_stop.is_set():
            raise
    return math.nan


@cache  # once in a process
def _exit_without_teardown() -> None:
    """Have this process end without tearing torch down, which takes seconds on a busy machine.

    By then the launcher has its results. The exit code matters only in a process of submitit's that
    does not have to stop.
    """

    def leave() -> None:
        if _must_stop.is_set() or multiprocessing.parent_process() is not None:
            with suppress(OSError, ValueError):  # it is closed
                sys.stdout.flush()
            os._exit(0)

    atexit.register(leave)


def _unblock_sigterm() -> None:
    """Let SIGTERM through, and only that one."""
    # In place of what a launcher has set; `raise_on_signals` puts its own there.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    raise_on_signals()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


@cache
def _watch(lock: Path) -> None:
    threading.Thread(target=_watch_until_free, args=(lock,), daemon=True).start()


def _watch_until_free(lock: Path) -> None:
    """Signal this process once the lock is free, and end it where its launcher has died."""
    while is_locked(lock):
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    _must_stop.set()
    signal.raise_signal(signal.SIGTERM)
    launcher = multiprocessing.parent_process()
    if launcher is None:  # the process ends with its job
        return
    while os.getppid() == launcher.pid:
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    _is_idle.wait()
    os._exit(128 + signal.SIGTERM)
