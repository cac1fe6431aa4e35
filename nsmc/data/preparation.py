"""Long steps of preparing a corpus: their progress, Ctrl-C meanwhile, memory given back after."""

import ctypes
import logging
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")

SECONDS_BETWEEN_LINES = 20


class Progress:
    """A bar on a terminal, else a line in the log now and then."""

    def __init__(self, log: logging.Logger, action: str, total: int) -> None:
        self._log, self._action, self._total = log, action, total
        self._last_line = time.monotonic()
        self._bar = tqdm(desc=action, total=total, leave=False, disable=not is_terminal())

    def show(self, done: int) -> None:
        """Show that `done` of the total are done."""
        self._bar.update(done - self._bar.n)
        if self._bar.disable and time.monotonic() - self._last_line > SECONDS_BETWEEN_LINES:
            self._last_line = time.monotonic()
            self._log.info("%s: %.0f %%", self._action, 100 * done / self._total)
        if done == self._total:
            self._bar.close()


def is_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()


def in_thread(work: Callable[[], T]) -> Future[T]:
    """Run `work` in a thread, so that the main thread can handle signals while a library computes.

    Not in an executor, whose threads Python waits for at exit: this one ends with the process.
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


def return_memory() -> None:
    """Give back the memory that the tokenizers library has used; glibc would keep it for later."""
    with suppress(OSError, AttributeError, TypeError):  # another C library than glibc
        ctypes.CDLL(None).malloc_trim(0)
