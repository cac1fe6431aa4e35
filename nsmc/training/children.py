"""Watches the processes that Lightning has started for a training, in place of its own watch.

That one, where a process has ended, kills the first one within five seconds and without a word, so
that nobody reads what ended, and the run's record says that it runs still.
"""

import logging
import os
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

log = logging.getLogger(__name__)

_SECONDS_BETWEEN_LOOKS = 0.2
_SECONDS_TO_NOTICE = 60.0


@dataclass
class _Watch:
    children: Sequence[subprocess.Popen[bytes]]
    is_alone: bool = False  # at work on what needs no other process
    is_over: bool = False


_current = _Watch([])


def watch(launcher: Any) -> None:
    """Take the watch over from Lightning's; returns at once."""
    global _current
    children: list[subprocess.Popen[bytes]] = launcher.procs[:]
    if children:
        launcher.procs.clear()  # Lightning's thread looks at this list, and now has no more to do
        launcher.procs = children
        _current = _Watch(children)
        threading.Thread(target=_watch, args=(_current,), daemon=True).start()


@contextmanager
def alone() -> Iterator[None]:
    """Do what needs no other process: it may take as long as it takes where one has ended."""
    _current.is_alone = True
    try:
        yield
    finally:
        _current.is_alone = False


def end_watch() -> None:
    """From here on nothing needs the other processes, whatever they end with."""
    _current.is_over = True


def has_lost(launcher: Any) -> bool:
    """Whether one of the processes has ended."""
    return any(child.poll() is not None for child in launcher.procs)


def _watch(watch: _Watch) -> None:
    """End this process where another one ended and the main thread does not notice.

    It does where it waits for the others, or talks to them over gloo; NCCL would wait for long.
    """
    while not any(codes := [child.poll() for child in watch.children]):
        if None not in codes:  # all have ended as they should
            return
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    ends_at = time.monotonic() + _SECONDS_TO_NOTICE
    while watch.is_alone or time.monotonic() < ends_at:
        if watch.is_alone:
            ends_at = time.monotonic() + _SECONDS_TO_NOTICE  # it may notice once it needs them
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    if watch.is_over:
        return
    log.error("error: another process of this training has ended, see what it says; resume the run")
    for child in watch.children:
        child.kill()
    os._exit(1)
