"""How a run ends early: a signal such as Ctrl-C interrupts it, or a search prunes it."""

import logging
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
    """A signal stopped the run. Not an Exception: a sweep must not continue after it."""

    def __init__(self, signum: int, advice: str = "") -> None:
        super().__init__(signum, advice)
        self.signum = signum
        self.advice = advice  # how to resume

    @property
    def exit_code(self) -> int:
        """What a shell expects of a program that a signal ended."""
        return 128 + self.signum


class Pruned(Exception):  # noqa: N818 - no error
    """The run was ended because it did worse than others had by the same epoch."""


class StopSignals:
    """Remembers a signal until the step is done and its checkpoint written.

    A second one acts at once, unless it comes within a second: then it is the same one, from the
    terminal and from the process that started this one. The signals are SIGINT, SIGTERM and SIGHUP,
    and where a job queue handles them SIGUSR1 and SIGUSR2.
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
        """Obey SIGTERM without waiting, and pass it on to the processes that this one has started.

        This replaces Lightning's handler, which would broadcast to processes that may not be
        listening, and wait for them for ever.
        """
        handler = self._handlers[signal.SIGTERM]
        if threading.current_thread() is not threading.main_thread() or not callable(handler):
            return

        def end(signum: int, frame: FrameType | None) -> None:
            end_others(signum)
            handler(signum, frame)

        signal.signal(signal.SIGTERM, end)

    def obey(self) -> None:
        """Raises Interrupted, unless the signal is a job queue's, whose handler returns."""
        termination.call_due()
        signum = self.received or signal.SIGTERM  # another process may have got it
        handler = self._handlers[signum]
        if callable(handler) and handler not in (signal.default_int_handler, _interrupt):
            self.received = None
            handler(signum, None)  # it may requeue the job, and exit
            return
        raise Interrupted(signum)

    def _remember(self, signum: int, frame: FrameType | None) -> None:
        if self.received is not None:
            if time.monotonic() - self._received_at > SAME_SIGNAL_SECONDS:
                self.release()
                signal.raise_signal(signum)
            return
        self.received, self._received_at = signum, time.monotonic()
        termination.call_soon(
            lambda: log.info(
                "stopping: a checkpoint follows the step; the same signal again stops at once"
            )
        )


@contextmanager
def signals_deferred() -> Iterator[None]:
    """Let a signal that ends or requeues a run act when the body is done, not in the middle."""
    received: list[int] = []
    before = {}
    if threading.current_thread() is threading.main_thread():
        callable_ones = [signum for signum in _SIGNALS if callable(signal.getsignal(signum))]
        before = {n: signal.signal(n, lambda n, _: received.append(n)) for n in callable_ones}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
    if received:
        signal.raise_signal(received[0])


def raise_on_signals() -> None:
    """Make SIGINT, SIGTERM and SIGHUP raise an exception, so that the program cleans up.

    SIGINT raises KeyboardInterrupt, which libraries know; the others raise Interrupted. Where a
    library swallows that, it is raised again. In a Slurm job, SIGUSR1 raises Interrupted, too.
    Handlers of job queues stay.
    """
    termination.set_handlers(_interrupt)
    sys.unraisablehook = _report_lost_exception
    is_main = threading.current_thread() is threading.main_thread()
    queue = REQUEUE_SIGNAL if is_main and is_slurm_job() else None
    if queue is not None and signal.getsignal(queue) == signal.SIG_DFL:
        signal.signal(queue, _interrupt)


def _interrupt(signum: int, frame: FrameType | None) -> None:
    if termination.may_raise(signum):
        raise KeyboardInterrupt if signum == signal.SIGINT else Interrupted(signum)


def _report_lost_exception(problem: "sys.UnraisableHookArgs") -> None:
    """Where a destructor was interrupted, Python prints the exception and goes on."""
    if issubclass(problem.exc_type, KeyboardInterrupt | Interrupted):
        termination.exception_lost()
    else:
        sys.__unraisablehook__(problem)
