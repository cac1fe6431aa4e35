"""How a run ends before its time: a signal such as Ctrl-C asks it to, or a search prunes it."""

import logging
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from nsmc import termination
from nsmc.termination import SAME_SIGNAL_SECONDS
from nsmc.training.slurm import REQUEUE_SIGNAL, is_slurm_job

log = logging.getLogger(__name__)

_ENDING = termination.SIGNALS
_QUEUES = tuple(getattr(signal, name) for name in ("SIGUSR1", "SIGUSR2") if hasattr(signal, name))
_SIGNALS = (*_ENDING, *_QUEUES)


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

    The signals are SIGINT, SIGTERM and SIGHUP, and where a job queue handles them SIGUSR1 and
    SIGUSR2.
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
        termination.call_due()
        signum = self.received or signal.SIGTERM  # another process may have been told
        handler = self._handlers[signum]
        if callable(handler) and handler not in (signal.default_int_handler, _interrupt):
            self.received = None
            handler(signum, None)  # it may put the job back into the queue, and leave
            return
        raise Interrupted(signum)

    def _remember(self, signum: int, frame: FrameType | None) -> None:
        if self.received is not None:
            if time.monotonic() - self._received_at > SAME_SIGNAL_SECONDS:
                self.release()
                signal.raise_signal(signum)
            return
        self.received, self._received_at = signum, time.monotonic()
        termination.call_soon(_say_what_follows)


def _say_what_follows() -> None:
    log.info("stopping: a checkpoint follows the step; the same signal again stops at once")


def raise_on_signals() -> None:
    """Make SIGINT, SIGTERM and SIGHUP end the program with what it is at put in order.

    SIGINT raises KeyboardInterrupt, which libraries know; the others raise Interrupted. Where a
    library swallows that, it is raised again. In a job of Slurm's, SIGUSR1 raises Interrupted, too.
    A job queue's own handlers stay.
    """
    termination.set_handlers(_interrupt)
    sys.unraisablehook = _tell_of_lost_interruption
    is_main = threading.current_thread() is threading.main_thread()
    queue = REQUEUE_SIGNAL if is_main and is_slurm_job() else None
    if queue is not None and signal.getsignal(queue) == signal.SIG_DFL:
        signal.signal(queue, _interrupt)


def _interrupt(signum: int, frame: FrameType | None) -> None:
    if termination.may_raise(signum):
        raise KeyboardInterrupt if signum == signal.SIGINT else Interrupted(signum)


def _tell_of_lost_interruption(problem: "sys.UnraisableHookArgs") -> None:
    """Where a destructor was interrupted, Python prints the exception and goes on."""
    if issubclass(problem.exc_type, KeyboardInterrupt | Interrupted):
        termination.exception_lost()
    else:
        sys.__unraisablehook__(problem)
