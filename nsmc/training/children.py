"""Watches the processes that Lightning has started for a training, in place of its own watch.

That one, where a process has ended, kills the first one within five seconds and without a word, so
that nobody reads what ended, and the run's record says that it runs still.
"""

import logging
import os
import subprocess
import threading
import time
from collections.abc import Sequence
from typing import Any

log = logging.getLogger(__name__)

_SECONDS_BETWEEN_LOOKS = 0.2
_SECONDS_TO_NOTICE = 60.0


def watch(launcher: Any) -> None:
    """Take the watch over from Lightning's; returns at once."""
    children: list[subprocess.Popen[bytes]] = launcher.procs[:]
    if children:
        launcher.procs.clear()  # Lightning's thread looks at this list, and now has no more to do
        launcher.procs = children
        threading.Thread(target=_watch, args=(children,), daemon=True).start()


def has_lost(launcher: Any) -> bool:
    """Whether one of the processes has ended."""
    return any(child.poll() is not None for child in launcher.procs)


def _watch(children: Sequence[subprocess.Popen[bytes]]) -> None:
    """End this process where another one ended and the main thread does not notice.

    It does where it waits for the others, or talks to them over gloo; NCCL would wait for long.
    """
    while not any(codes := [child.poll() for child in children]):
        if None not in codes:  # all have ended as they should
            return
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    time.sleep(_SECONDS_TO_NOTICE)
    log.error("error: another process of this training has ended, see what it says; resume the run")
    for child in children:
        child.kill()
    os._exit(1)
