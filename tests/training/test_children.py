"""The first process ends, and says why, where another one ended and the main thread hangs."""

import os
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest
from lightning_fabric.strategies.launchers.subprocess_script import _ChildProcessObserver

from nsmc.training import children


class Child:
    """A process with an exit code, or None."""

    def __init__(self, code: int | None) -> None:
        self.code, self.is_killed = code, False
        self.pid, self.returncode = 0, code  # for Lightning

    def poll(self) -> int | None:
        return self.code

    def kill(self) -> None:
        self.is_killed = True


@pytest.fixture
def codes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What the process ended with."""
    found: list[int] = []
    monkeypatch.setattr(os, "_exit", found.append)
    monkeypatch.setattr(children, "_SECONDS_TO_NOTICE", 0.0)
    return found


def watch(launcher: Any) -> None:
    """Watch to the end."""
    before = set(threading.enumerate())
    children.watch(launcher)
    for thread in {*threading.enumerate()} - before:
        thread.join()


def test_one_that_was_killed_ends_the_others_with_a_line(
    codes: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    processes = Child(None), Child(-9)
    watch(SimpleNamespace(procs=[*processes]))
    assert codes == [1] and all(child.is_killed for child in processes)
    (line,) = caplog.messages
    assert line.startswith("error: another process of this training has ended")


def test_those_that_ended_as_they_should_end_nothing(codes: list[int]) -> None:
    watch(SimpleNamespace(procs=[Child(0), Child(0)]))
    watch(SimpleNamespace(procs=[]))  # of torchrun, which starts the processes itself
    assert codes == []


@pytest.mark.parametrize("is_trained", [False, True])
def test_none_is_ended_while_it_needs_no_other(
    codes: list[int], monkeypatch: pytest.MonkeyPatch, is_trained: bool
) -> None:
    exporting, seen = children.alone(), list[list[int]]()

    def look_again(_: float) -> None:
        seen.append([*codes])
        if len(seen) == 3:
            if is_trained:
                children.end_watch()
            exporting.__exit__(None, None, None)

    monkeypatch.setattr(time, "sleep", look_again)
    monkeypatch.setattr(children, "_current", children._Watch([Child(-9)]))  # type: ignore[list-item]
    exporting.__enter__()
    children._watch(children._current)
    assert seen == [[], [], []]
    assert codes == ([] if is_trained else [1])  # what waits for the others has to end


def test_a_process_that_has_ended_is_lost() -> None:
    assert children.has_lost(SimpleNamespace(procs=[Child(None), Child(-9)]))
    assert not children.has_lost(SimpleNamespace(procs=[Child(None)]))


def test_the_watch_that_lightning_began_has_nothing_left_to_do(
    codes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    child = Child(-9)
    processes: list[Any] = [child]
    launcher = SimpleNamespace(procs=processes)
    observer = _ChildProcessObserver(child_processes=processes, main_pid=os.getpid())
    killed: list[str] = []
    monkeypatch.setattr(observer, "_terminate_all", lambda: killed.append("all"))
    assert observer._run() and killed == ["all"]
    watch(launcher)
    assert observer._run() and killed == ["all"]  # ends, and kills nobody
    assert launcher.procs == [child]  # whom the launcher passes signals on to
