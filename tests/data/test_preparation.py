"""Work in the background is waited for, and left to itself where the main thread is told to end."""

import logging
import sys

import pytest

from nsmc.data import preparation
from nsmc.data.preparation import Progress, in_thread
from tests.commands import PROJECT, run_anew


def test_the_result_or_the_error_comes_back() -> None:
    assert in_thread(lambda: 7).result() == 7
    with pytest.raises(ValueError, match="said"):
        in_thread(lambda: _raise(ValueError("said"))).result()


def _raise(error: Exception) -> None:
    raise error


def test_a_signal_ends_what_a_library_would_go_on_with() -> None:
    lines = (
        "import os, signal, threading",
        "from concurrent.futures import wait",
        "from nsmc.data.preparation import in_thread",
        "from nsmc.termination import leave",
        "work = in_thread(threading.Event().wait)  # without an end",
        "try:",
        "    os.kill(os.getpid(), signal.SIGINT)",
        "    while wait([work], timeout=0.1).not_done: pass",
        "except KeyboardInterrupt:",
        "    leave(130)",
    )
    finished = run_anew([sys.executable, "-c", "\n".join(lines)], 130, PYTHONPATH=str(PROJECT))
    assert (finished.stdout, finished.stderr) == ("", "")


def test_a_log_gets_a_line_now_and_then(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    shown = Progress(logging.getLogger("test"), "encoding", 8)
    shown.show(1)
    monkeypatch.setattr(preparation, "SECONDS_BETWEEN_LINES", -1)
    shown.show(2)
    shown.show(8)
    assert caplog.messages == ["encoding: 25 %", "encoding: 100 %"]
