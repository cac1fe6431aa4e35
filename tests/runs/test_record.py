"""run.json and what is printed at the end of a run."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import nsmc.runs.record
from nsmc.runs.record import (
    RECORD_FILE,
    environment,
    occupied,
    read_record,
    recorded,
    state_of,
    write_record,
)
from nsmc.training.signals import Interrupted

_DEEP = '{"config": {"a":' + "[" * 30 + "]" * 30 + "}}"
METRICS = {"val/accuracy": 0.75, "val/f1": 0.5, "val/loss": 0.6, "test/accuracy": 0.7}


def test_the_record_says_what_ran_where(tmp_path: Path) -> None:
    write_record(tmp_path, {"metrics": METRICS, **environment()})
    record = json.loads((tmp_path / RECORD_FILE).read_text(encoding="utf-8"))
    assert record["metrics"] == METRICS
    assert record["versions"].keys() >= {"python", "torch", "tokenizers"}
    assert record["git_commit"] is None or len(record["git_commit"]) >= 40
    assert [path.name for path in tmp_path.iterdir()] == [RECORD_FILE]


def test_a_failed_write_keeps_the_old_record(tmp_path: Path) -> None:
    write_record(tmp_path, {"metrics": METRICS})
    before = (tmp_path / RECORD_FILE).read_bytes()
    with pytest.raises(TypeError):
        write_record(tmp_path, {"metrics": object()})
    assert (tmp_path / RECORD_FILE).read_bytes() == before


def test_a_record_is_true_from_beginning_to_end(tmp_path: Path) -> None:
    assert state_of(tmp_path) == "new"
    with occupied(tmp_path), recorded(tmp_path, {"signature": "abc"}) as record:
        assert (read_record(tmp_path) or {})["status"] == "running"
        record["steps"] = 7
    assert read_record(tmp_path) == {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "signature": "abc",
        "status": "finished",
        "error": None,
        "steps": 7,
    }
    assert state_of(tmp_path) == "finished"


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (ValueError("model.lr=9: too much"), "failed"),
        (KeyboardInterrupt(), "interrupted"),
        (Interrupted(15), "interrupted"),
    ],
)
def test_a_record_says_how_a_run_ended(tmp_path: Path, error: BaseException, state: str) -> None:
    with pytest.raises(type(error)), occupied(tmp_path), recorded(tmp_path, {}):
        raise error
    assert state_of(tmp_path) == state
    message = "model.lr=9: too much" if state == "failed" else None
    assert (read_record(tmp_path) or {})["error"] == message


def test_a_run_that_was_killed_is_interrupted_and_one_that_lives_is_not(tmp_path: Path) -> None:
    write_record(tmp_path, {"status": "running"})
    assert state_of(tmp_path) == "interrupted"
    with occupied(tmp_path):
        code = (
            "import sys; from pathlib import Path; from nsmc.runs.record import *; "
            "folder = Path(sys.argv[1]); print(state_of(folder)); occupied(folder).__enter__()"
        )
        other = [sys.executable, "-c", code, str(tmp_path)]
        finished = subprocess.run(other, capture_output=True, text=True, check=False)
    assert finished.stdout.strip() == "running"
    assert "another process is at work on this run" in finished.stderr


def test_a_record_from_before_there_was_a_status_is_of_a_finished_run(tmp_path: Path) -> None:
    write_record(tmp_path, {"metrics": METRICS})
    assert state_of(tmp_path) == "finished"


@pytest.mark.parametrize("content", ["", "{", "[]", "null"])
def test_a_damaged_record_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / RECORD_FILE).write_text(content)
    assert read_record(tmp_path) is None


def repository(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a copy of the module in it, which does not track it; the copy."""
    copy = folder / ".venv" / "record.py"
    copy.parent.mkdir(parents=True)
    copy.write_text("")
    monkeypatch.setattr(nsmc.runs.record, "__file__", str(copy))
    for key, value in {"AUTHOR_NAME": "a", "AUTHOR_EMAIL": "a@b", "COMMITTER_NAME": "a"}.items():
        monkeypatch.setenv(f"GIT_{key}", value)
    monkeypatch.setenv("GIT_COMMITTER_EMAIL", "a@b")
    git(folder, "init", "--quiet")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "theirs")
    return copy


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_the_commit_is_that_of_the_code_and_tells_of_edits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = repository(tmp_path, monkeypatch)
    git(tmp_path, "add", str(copy))
    git(tmp_path, "commit", "--quiet", "--message", "ours")
    head = git(tmp_path, "rev-parse", "HEAD")
    assert environment()["git_commit"] == head
    copy.write_text("edited")
    assert environment()["git_commit"] == f"{head}+changes"


def test_a_repository_around_an_installation_is_neither_named_nor_obeyed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository(tmp_path, monkeypatch)
    executed = tmp_path / "executed"
    (tmp_path / "evil").write_text(f"#!/bin/sh\ntouch {executed}\n")
    (tmp_path / "evil").chmod(0o755)
    git(tmp_path, "config", "core.fsmonitor", str(tmp_path / "evil"))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / ".git"))  # as in a hook
    assert environment()["git_commit"] is None
    assert not executed.exists()


@pytest.mark.parametrize(
    "content", ['{"status": "done"}', '{"signature": []}', '{"config": [1]}', _DEEP]
)
def test_a_record_without_what_nothing_stands_for_is_damaged_and_named_once(
    tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / RECORD_FILE).write_text(content)
    assert read_record(tmp_path) is None and state_of(tmp_path) == "new"
    (name,) = json.loads(content)
    assert [each.getMessage() for each in caplog.records] == [
        f"{tmp_path}/{RECORD_FILE}: damaged: {name}; it is left out"
    ]


def test_a_link_in_place_of_the_lock_is_nobodys(tmp_path: Path) -> None:
    write_record(tmp_path, {"status": "running"})
    (tmp_path / "precious").write_text("precious")
    (tmp_path / ".lock").symlink_to(tmp_path / "precious")
    assert state_of(tmp_path) == "interrupted"
    assert (tmp_path / "precious").read_text() == "precious"
