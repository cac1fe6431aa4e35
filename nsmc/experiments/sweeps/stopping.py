"""Stops jobs that run at once in processes of their own as one job alone is stopped.

Each finishes its step and writes its checkpoint; those that have not begun do not begin.
"""

import os
import signal
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from nsmc.experiments.overrides import pasteable
from nsmc.experiments.record import read_record
from nsmc.termination import SIGNALS
from nsmc.training.signals import Interrupted

_STOP_FILE = ".stop"  # in the sweep's folder, while its jobs are told to stop


def how_to_go_on(sweep_folder: Path) -> str:
    """What to do after a sweep was stopped."""
    name = pasteable("sweep", sweep_folder.name)
    return f"the same command with {name} goes on with what is missing"


def is_stopping(sweep_folder: Path) -> bool:
    """Whether the sweep's jobs are told to stop."""
    return (sweep_folder / _STOP_FILE).exists()


@contextmanager
def stopped_together(folders: Sequence[Path]) -> Iterator[None]:
    """While the jobs of these folders run, hand signals that end a program on to them.

    Raises Interrupted, once they have ended, where one came: also where a job ended before it could
    be told apart from one that died.
    """
    stop_file = folders[0].parent / _STOP_FILE
    received: list[int] = []

    def hand_on(signum: int, frame: FrameType | None) -> None:
        received.append(signum)
        stop_file.touch()
        for folder in folders:
            _terminate(folder)

    stop_file.unlink(missing_ok=True)
    before = {each: signal.signal(each, hand_on) for each in SIGNALS}
    try:
        yield
    except Exception:
        if not received:
            raise
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
        stop_file.unlink(missing_ok=True)
    if received:
        raise Interrupted(received[0])


def _terminate(folder: Path) -> None:
    record = read_record(folder) or {}
    if record.get("status") == "running" and record.get("host") == socket.gethostname():
        with suppress(ProcessLookupError):
            os.kill(record["pid"], signal.SIGTERM)
