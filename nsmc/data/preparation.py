"""What preparing a corpus needs: progress, signals while a library computes, memory given back."""

import ctypes
import logging
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

from tqdm import tqdm

T = TypeVar("T")

SECONDS_BETWEEN_LINES = 20
_SECONDS_BETWEEN_LOOKS = 0.1


class Progress:
    """A bar on a terminal, else a line in the log now and then."""

    def __init__(self, log: logging.Logger, what: str, total: int) -> None:
        """`what` is what is being done, to `total` things."""
        self._log, self._what, self._total = log, what, total
        self._last_line = time.monotonic()
        shown = is_terminal()
        self._bar = tqdm(desc=what, total=total, leave=False, disable=not shown)

    def show(self, done: int) -> None:
        """So many of the things are done."""
        self._bar.update(done - self._bar.n)
        if self._bar.disable and time.monotonic() - self._last_line > SECONDS_BETWEEN_LINES:
            self._last_line = time.monotonic()
            self._log.info("%s: %.0f %%", self._what, 100 * done / self._total)
        if done == self._total:
            self._bar.close()


def is_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()


class Background(Generic[T]):
    """Work in a thread, so that the main thread hears of signals while a library computes.

    Where the main thread is told to end, the work is left to itself: it ends with the process.
    """

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._ended = threading.Event()
        self._results: list[T] = []
        self._error: BaseException | None = None
        threading.Thread(target=self._run, daemon=True).start()

    def is_under_way(self) -> bool:
        """Wait a moment; whether there is still something to do."""
        return not self._ended.wait(_SECONDS_BETWEEN_LOOKS)

    def result(self) -> T:
        """Wait for the result. Raises what the work raised."""
        self._ended.wait()
        if self._error is not None:
            raise self._error
        return self._results[0]

    def _run(self) -> None:
        try:
            self._results.append(self._work())
        except BaseException as error:
            self._error = error
        finally:
            self._ended.set()


def return_memory() -> None:
    """Give back the memory that the tokenizers library has used; glibc would keep it for later."""
    with suppress(OSError, AttributeError, TypeError):  # another C library than glibc
        ctypes.CDLL(None).malloc_trim(0)
