"""Finding and reading run records: new, old, odd and damaged ones."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nsmc.reports.leaderboard import drop_repeats, leaderboard
from nsmc.reports.records import find_records, problems_of, read_run, read_runs
from nsmc.reports.tables import csv_table, markdown_table
from nsmc.reports.terminal_table import terminal_table
from tests.reports.factories import FINGERPRINT, record, write


def test_records_are_found_at_any_depth_but_not_where_runs_keep_files(tmp_path: Path) -> None:
    for folder in (".", "a", "b/c", "b/.hidden/d", "a/bundle", "a/checkpoints", "a/csv"):
        write(tmp_path / folder, {})
    found = [path.parent.relative_to(tmp_path).as_posix() for path in find_records(tmp_path)]
    assert found == [".", "a", "b/c"]


def test_a_run_in_two_overlapping_folders_is_read_once(tmp_path: Path) -> None:
    run = write(tmp_path / "sweep" / "0", record())
    runs, problems = read_runs([tmp_path, tmp_path / "sweep", run])
    assert len(runs) == 1 and not problems


def test_a_record_s_numbers_are_finite_and_its_curve_has_epochs(tmp_path: Path) -> None:
    content = record(0.8, 0.7) | {"bundle_bytes": 0, "seconds": "7", "parameters": 1e300}
    content["metrics"] |= {"val/loss": float("nan"), "odd": True}
    content["history"] = [{"epoch": 1, "val/loss": float("inf")}, "odd", {}, {"val/loss": 0.5}]
    run = read_run(write(tmp_path, content) / "run.json")
    costs = {"train_seconds": 60, "reviews_per_second": 8000}
    assert run.metrics == {"val/accuracy": 0.8, "test/accuracy": 0.7, **costs}
    assert run.curve == [{"epoch": 1}]
    assert read_run(write(tmp_path, {**content, "history": 7}) / "run.json").curve == []


def test_a_run_of_before_a_key_was_renamed_counts_as_one_of_today(tmp_path: Path) -> None:
    old, new = record(0.8), record(0.7, seed=2)
    old["config"]["model"]["cell"] = old["config"]["model"].pop("architecture")
    old["config"]["callbacks"] |= {"seconds_between_lines": 5}
    old["config"]["callbacks"]["checkpoint"]["minutes"] = 3
    board = leaderboard([read_run(write(tmp_path, content) / "run.json") for content in (old, new)])
    assert not board.columns and len(board.rows[0].runs) == 2


def test_a_recipe_is_described_by_the_step_that_made_its_result(tmp_path: Path) -> None:
    loss = {"callbacks": {"checkpoint": {"monitor": "val/loss"}}}
    maker = {**record()["config"], **loss, "seed": 7}
    maker["model"] = {**maker["model"], "hidden_size": 192}
    maker |= {"task": "classify", "distill": {"weight": 0.5}, "linear": {"C": 4.0}}
    maker["data"] = {**maker["data"], "batch_size": 7}
    maker["trainer"] = {**maker["trainer"], "max_epochs": 9}
    folder = write(tmp_path / "run", {**record(), "final_step_config": maker})
    run = read_run(folder / "run.json")
    assert run.config["model.hidden_size"] == 192
    assert run.config["callbacks.checkpoint.monitor"] == "val/loss"
    assert run.config["distill.weight"] == 0.5 and run.config["linear.C"] == 4.0
    assert run.config["data.batch_size"] == 7 and run.config["trainer.max_epochs"] == 9
    assert run.config["seed"] == 1
    assert leaderboard([run]).metric == "val/loss"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"{", "Expecting property name"),
        (b"", "Expecting value"),
        (b"\xff\xff", "can't decode"),
        (b"[]", "not a mapping"),
        (b'{"status": ["finished"]}', 'unknown status ["finished"]'),
        (b"{}", "unknown status null"),
        (b'{"status": "finished"}', "no config"),
        (b"[" * 100_000, "recursion"),
    ],
)
def test_a_damaged_record_is_a_problem_and_no_more(
    tmp_path: Path, content: bytes, why: str
) -> None:
    write(tmp_path / "good", record())
    (write(tmp_path / "bad", {}) / "run.json").write_bytes(content)
    runs, (problem,) = read_runs([tmp_path])
    assert len(runs) == 1
    assert problem.status == "damaged" and problem.name.endswith("bad") and why in problem.reason


def test_what_became_of_the_others(tmp_path: Path) -> None:
    done = record()
    write(tmp_path / "0", done)
    write(tmp_path / "1", {**done, "status": "failed", "error": "out of\nmemory\x1b[2J"})
    write(tmp_path / "2", {**record(seed=2), "status": "interrupted"})
    write(tmp_path / "3", {**record(seed=3), "status": "running"})
    write(tmp_path / "4", {**record(seed=4), "status": "pruned"})
    problems = problems_of(read_runs([tmp_path])[0])
    assert [(problem.status, problem.reason) for problem in problems] == [
        ("failed", "out of memory\ufffd[2J; another run of the same job finished"),
        ("interrupted", "a signal stopped it, such as that of Ctrl-C"),
        ("unfinished", "it may still be running, or was killed"),
    ]


def test_folders_that_hold_no_runs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere: no such folder"):
        read_runs([tmp_path / "nowhere"])
    with pytest.raises(ValueError, match=r"no runs in it \(no run.json\); "):
        read_runs([tmp_path])
    with pytest.raises(NotADirectoryError, match="not a folder"):
        read_runs([Path(__file__)])


TEXT = st.text(st.sampled_from("ab._0|<$\n\x1b\ud800한"), max_size=5)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from([*record(), "bundle_bytes"])


@settings(deadline=None, max_examples=50)
@given(changes=st.lists(st.dictionaries(KEYS, JSON, max_size=4), min_size=1, max_size=4))
def test_no_record_makes_a_report_crash(
    tmp_path_factory: pytest.TempPathFactory, changes: list[dict[str, Any]]
) -> None:
    folder = tmp_path_factory.mktemp("odd")
    for index, change in enumerate(changes):
        write(folder / str(index), {**record(corpus=FINGERPRINT), **change})
    runs, problems = read_runs([folder])
    assert len(runs) + len(problems) == len(changes)
    board = leaderboard(drop_repeats([run for run in runs if run.status == "finished"]))
    lines = markdown_table(board).splitlines()
    assert len(lines) == len(board.rows) + 2
    assert csv_table(board) and terminal_table(board)
    json.dumps([problem.reason for problem in problems]).encode()
