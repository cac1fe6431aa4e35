"""How a run ends before its time: SIGINT (Ctrl-C) or SIGTERM asks it to, or a search prunes it."""

import logging
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from nsmc.training.slurm import REQUEUE_SIGNAL, is_slurm_job

log = logging.getLogger(__name__)

_ENDING = (signal.SIGINT, signal.SIGTERM)
_QUEUES = tuple(getattr(signal, name) for name in ("SIGUSR1", "SIGUSR2") if hasattr(signal, name))
_SIGNALS = (*_ENDING, *_QUEUES)
_SAME_SIGNAL_SECONDS = 1.0


class Interrupted(BaseException):
    """The run was told to stop by a signal. Not an Exception: a sweep must not go on after it."""

    def __init__(self, signum: int, advice: str = "") -> None:
        super().__init__(signum, advice)
        self.signum = signum
        self.advice = advice  # how to go on

    @property
    def exit_code(self) -> int:
        """What a shell expects of a program that a signal ended."""
        return 128 + self.signum


class Pruned(Exception):  # noqa: N818 - no error
    """The run was ended on purpose: it did worse than others had at its stage."""


class StopSignals:
    """Remembers a signal until the step is done and its checkpoint written.

    A second one acts at once, unless it comes within a second: then it is the same one, which came
    from the terminal and from the process that started this one.

    The signals are SIGINT and SIGTERM, and SIGUSR1 and SIGUSR2 where a job queue handles them.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._received_at = 0.0
        # As they are before Lightning adds its own.
        self._handlers = {signum: signal.getsignal(signum) for signum in _SIGNALS}
        self._before: dict[int, Any] = {}

    def watch(self) -> None:
        self.received = None
        if threading.current_thread() is not threading.main_thread():  # the only one that may
            return
        for signum, handler in self._handlers.items():
            # One that is ignored, as after nohup, stays so.
            if callable(handler) or (signum in _ENDING and handler != signal.SIG_IGN):
                self._before[signum] = signal.signal(signum, self._remember)

    def release(self) -> None:
        for signum, handler in self._before.items():
            signal.signal(signum, handler)
        self._before = {}

    def end_at_once(self, end_others: Callable[[int], None]) -> None:
        """Obey SIGTERM without waiting, and tell the processes that this one has started.

        In place of Lightning's handler, which would broadcast to processes that may be at something
        else, and wait for them for ever.
        """
        handler = self._handlers[signal.SIGTERM]
        if threading.current_thread() is not threading.main_thread() or not callable(handler):
            return

        def end(signum: int, frame: FrameType | None) -> None:
            end_others(signum)
            handler(signum, frame)

        signal.signal(signal.SIGTERM, end)

    def obey(self) -> None:
        """Do what the signal asks for. Raises Interrupted, unless a job queue's handler returns."""
        signum = self.received or signal.SIGTERM  # another process may have been told
        handler = self._handlers[signum]
        if callable(handler) and handler not in (signal.default_int_handler, _interrupt):
            self.received = None
            handler(signum, None)  # it may put the job back into the queue, and leave
            return
        raise Interrupted(signum)

    def _remember(self, signum: int, frame: FrameType | None) -> None:
        if self.received is not None:
            if time.monotonic() - self._received_at > _SAME_SIGNAL_SECONDS:
                self.release()
                signal.raise_signal(signum)
            return
        self.received, self._received_at = signum, time.monotonic()
        log.info("stopping: a checkpoint follows the step; the same signal again stops at once")


def raise_on_sigterm() -> None:
    """Make SIGTERM end the program as Ctrl-C does, with what it is at put in order.

    So does SIGUSR1 in a job of Slurm's. A job queue's own handlers stay.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    ending = [signal.SIGTERM, REQUEUE_SIGNAL if is_slurm_job() else None]
    for signum in filter(None, ending):
        if signal.getsignal(signum) == signal.SIG_DFL:
            signal.signal(signum, _interrupt)


def _interrupt(signum: int, frame: FrameType | None) -> None:
    raise Interrupted(signum)
