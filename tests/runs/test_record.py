"""run.json and what is printed at the end of a run."""

import json
import os
import shlex
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import nsmc.runs.record
from nsmc.config.schema import check_config
from nsmc.runs.record import (
    RECORD_FILE,
    environment,
    occupied,
    read_record,
    recorded,
    state_of,
    write_record,
)
from nsmc.runs.run import next_commands, summary
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


def test_the_summary_shows_what_was_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    bundle = tmp_path / "run" / "bundle"
    bundle.mkdir(parents=True)
    (bundle / "nsmc.safetensors").write_bytes(bytes(1_500_000))
    (bundle / "tokenizer.json").write_bytes(bytes(500_000))
    record = {
        "metrics": {**METRICS, "test/f1": 0.25, "test/loss": 0.65},
        "seconds": 12.34,
        "train_seconds": 10.0,
        "reviews_per_second": 4321.0,
        "parameters": 1_379_330,
    }
    lines = summary(record, bundle).splitlines()
    table = [line.split() for line in lines]
    assert ["accuracy", "0.7500", "0.7000"] in table
    assert ["F1", "0.5000", "0.2500"] in table
    assert ["loss", "0.6000", "0.6500"] in table
    assert ["parameters", "1,379,330"] in table
    assert "2.00 MB (weights 1.50 MB)" in summary(record, bundle)
    assert "run" in table[-1]


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ([], "predict run/bundle "),
        (["experiment=pretrain"], "nsmc train init_from=run"),
        (["experiment=linear"], "nsmc train experiment=distill "),
    ],
)
def test_what_comes_next_depends_on_what_was_trained(
    composed: Callable[..., dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    overrides: list[str],
    expected: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    config = check_config(composed("data=sample", *overrides))
    record = {"config": config.model_dump()}
    lines = next_commands(config, record, tmp_path / "run")
    assert expected in lines
    assert ("tensorboard --logdir outputs" in lines) == (config.task != "linear")
    recipe = check_config(composed("data=sample"))
    of_a_recipe = {"config": recipe.model_dump(), "final_step_config": record["config"]}
    assert next_commands(recipe, of_a_recipe, tmp_path / "run") == lines


def test_a_run_without_a_test_shows_validation_alone(tmp_path: Path) -> None:
    (tmp_path / "nsmc.safetensors").write_bytes(b"")
    validation = {key: value for key, value in METRICS.items() if key.startswith("val/")}
    record = {
        "metrics": validation,
        "seconds": 1.0,
        "train_seconds": 1.0,
        "reviews_per_second": 1.0,
        "parameters": 1,
    }
    assert "test" not in summary(record, tmp_path).split("seconds")[0]


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


def test_next_commands_can_be_pasted_whatever_the_folder_is_called(
    composed: Callable[..., dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = check_config(composed("data=sample"))
    lines = next_commands(config, {"config": config.model_dump()}, tmp_path / "내 $run's")
    (command,) = (line for line in lines.splitlines() if " predict " in line)
    assert shlex.split(command)[1:3] == ["predict", "내 $run's/bundle"]


def test_what_is_not_of_its_type_is_left_out(tmp_path: Path) -> None:
    wrong = {"pid": -1, "threads": 10**9, "overrides": [1], "command": "a\nb", "seconds": 10**400}
    wrong |= {"history": 7, "error": "\ud800", "unknown": 1, "epochs": True, "recipe": []}
    metrics = {"val/accuracy": 0.5, "val/f1": float("nan"), "val/loss": 10**400, "x": True}
    write_text = json.dumps({"status": "finished", "metrics": metrics, **wrong})
    (tmp_path / RECORD_FILE).write_text(write_text)
    assert read_record(tmp_path) == {"status": "finished", "metrics": {"val/accuracy": 0.5}}


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
