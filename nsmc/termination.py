"""Ends a program that a signal tells to end, whatever it is doing, and leaves nothing unfinished.

Python calls a signal's handler in the main thread, between two steps of the interpreter. What can
go wrong there is mended here:

- An exception that a handler raises is lost where it hits a destructor, a weak reference's callback
  or a library's bare `except`. So the handler of `exit_on_signals` raises nothing: it removes what
  is unfinished and ends the process. A handler that must raise asks `may_raise`, and is called
  again unless `exception_arrived` follows.
- No handler is called while the main thread waits for input that never comes, where the signal came
  just before it began to wait. So a thread that the signal itself wakes interrupts the waiting.

This module imports nothing but the standard library, and little of that: it comes first.
"""

import atexit
import contextlib
import math
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from types import FrameType
from typing import Any, NoReturn

from nsmc.atomic import remove_unfinished

Handler = Callable[[int, FrameType | None], Any]

SIGNALS: tuple[int, ...] = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)

# A signal may come from the terminal and from the process that started this one.
SAME_SIGNAL_SECONDS = 1.0

# Does nothing but end a wait of the main thread. Programs ignore it unless they ask for it.
_NUDGE = getattr(signal, "SIGURG", None)  # None on Windows, where a waiting thread cannot be woken
_SECONDS_BETWEEN_NUDGES = 0.2
_NUDGES = 50

_MOST_RAISES = 3  # then the process ends as it is


class _State:
    message: str | None = None  # printed when a signal ends the process
    is_watching = False
    raises = 0
    raised_at = -math.inf
    under_way = 0  # the signal whose exception is on its way to the code that handles it, or 0
    is_lost = False  # whether Python said that it dropped that exception


_due: deque[Callable[[], object]] = deque()  # see `call_soon`
_replaceable: set[Any] = {signal.SIG_DFL, signal.default_int_handler}  # and handlers set here


def exit_on_signals(message: str | None = None) -> None:
    """Let SIGINT, SIGTERM and SIGHUP end the process, with the code that a shell expects.

    `message` is then printed on standard error; an empty one ends a terminal's line, after ^C.
    """
    _State.message = message
    set_handlers(_exit)


def set_handlers(handler: Handler) -> None:
    """Have `handler` called, without fail, for the signals that end a program.

    A signal that is ignored, as after nohup, stays so; handlers of other programs stay, too.
    """
    if threading.current_thread() is not threading.main_thread():  # the only one that may
        return
    _replaceable.add(handler)
    for signum in SIGNALS:
        if signal.getsignal(signum) in _replaceable:
            signal.signal(signum, handler)
    if _NUDGE is not None and not _State.is_watching:
        _watch()


def may_raise(signum: int) -> bool:
    """Whether a handler is to raise; not where it did within a second, for the same signal.

    The third time ends the process.
    """
    now = time.monotonic()
    if now - _State.raised_at < SAME_SIGNAL_SECONDS:
        return False
    _State.raises += 1
    if _State.raises > _MOST_RAISES:
        _exit(signum)
    _State.under_way, _State.raised_at, _State.is_lost = signum, now, False
    return True


def exception_arrived() -> None:
    """What a handler raised has been caught by the code that handles it."""
    _State.under_way = 0


def exception_lost() -> None:
    """Python had to drop what a handler raised: the signal is sent again, without more waiting."""
    _State.raised_at, _State.is_lost = -math.inf, True


def call_soon(function: Callable[[], object]) -> None:
    """Call what a handler must not call itself: what it interrupts may be writing the same log."""
    _due.append(function)
    if not _State.is_watching:
        call_due()


def call_due() -> None:
    """Call now what is still to be called."""
    with contextlib.suppress(IndexError):  # none is left
        while True:
            _due.popleft()()


def leave(code: int) -> NoReturn:
    """End the process as sys.exit does, but without tearing the interpreter down.

    A daemon thread that comes back from a library during that would crash it.
    """
    exit_on_signals()
    threading._shutdown()  # type: ignore[attr-defined]  # ends a launcher's processes, too
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):  # closed, or never there
            stream.flush()
    os._exit(code)


def _exit(signum: int, frame: FrameType | None = None) -> NoReturn:
    remove_unfinished()
    with contextlib.suppress(OSError):
        if _State.message or (_State.message == "" and os.isatty(2)):
            os.write(2, f"{_State.message}\n".encode())  # no buffer, which may be locked
    os._exit(128 + signum)


def _watch() -> None:
    assert _NUDGE is not None
    _State.is_watching = True
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    signal.signal(_NUDGE, lambda *_: None)
    os.register_at_fork(after_in_child=_stop_watching)
    main = threading.main_thread().ident
    threading.Thread(target=_oversee, args=(reading, main), daemon=True).start()


def _stop_watching() -> None:
    """In a forked process, which has no such thread, and whose signals are not its parent's."""
    if _State.is_watching:
        _State.is_watching = False
        signal.set_wakeup_fd(-1)


def _oversee(reading: int, main: int) -> None:
    """See to it that the handler of each signal is called, and that what it raises arrives."""
    assert _NUDGE is not None
    while True:
        signum = os.read(reading, 1)[0]
        if signum not in SIGNALS:
            continue
        for _ in range(_NUDGES):
            time.sleep(_SECONDS_BETWEEN_NUDGES)
            call_due()
            if _State.is_lost:
                break
            signal.pthread_kill(main, _NUDGE)
        if signal.getsignal(signum) is _exit:  # the main thread does not come back from a library
            _exit(signum)
        if _State.under_way:
            os.kill(os.getpid(), _State.under_way)
