"""Ties, intervals and slices of a report, from the answers that runs keep."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nsmc.comparison.answers import ANSWERS_FILE, ReviewKeys, answers_of, as_ids, write_answers
from nsmc.comparison.slices import SLICES, slices_of
from nsmc.reports.leaderboard import Leaderboard, leaderboard
from nsmc.reports.records import read_runs
from nsmc.reports.report import write_report
from nsmc.reports.significance import Compared, Reader, with_significance
from nsmc.reports.slices import slice_tables
from nsmc.reports.tables import columns_of, csv_table
from tests.reports.factories import record, write

REVIEWS = 400
SHORT = "up to 15 characters"


def write_run(
    folder: Path, accuracy: float, hidden: int = 8, seed: int = 1, split: int = 42, **changes: Any
) -> Path:
    """A run whose answers are right as often as `accuracy` says, by chance of its own."""
    chance = np.random.default_rng([hidden, seed, round(1000 * accuracy)])
    is_right = np.arange(REVIEWS) < round(accuracy * REVIEWS)
    labels = np.arange(REVIEWS) % 2
    is_right = chance.permutation(is_right)
    second = np.where(is_right == (labels == 1), 0.9, 0.1)
    texts = ["왜?" if number % 4 == 0 else "좋다" for number in range(REVIEWS)]
    keys = ReviewKeys(as_ids(f"{split}-{number}" for number in range(REVIEWS)), slices_of(texts))
    probabilities = np.stack([1 - second, second], axis=1)
    answers = answers_of(keys, labels, probabilities, ("bad", "good"))
    settings: dict[str, Any] = {"model__hidden_size": hidden, "data__split_seed": 7, **changes}
    write(folder, record(accuracy, test=accuracy, seed=seed, **settings))
    write_answers(folder, {"val": answers, "test": answers})
    return folder


def compared_board(folder: Path) -> Compared:
    runs, problems = read_runs([folder])
    assert not problems
    return with_significance(leaderboard(runs), Reader())


def ranks(board: Leaderboard) -> list[str]:
    return next(column.texts for column in columns_of(board) if column.title == "rank")


def test_settings_that_cannot_be_told_from_the_best_share_its_rank(tmp_path: Path) -> None:
    for hidden, accuracy in ((8, 0.8), (16, 0.81), (32, 0.5)):
        for seed in (1, 2, 3):
            write_run(tmp_path / f"{hidden}-{seed}", accuracy + seed / REVIEWS, hidden, seed)
    board, notes = compared_board(tmp_path).board, compared_board(tmp_path).notes
    assert [row.values["hidden_size"] for row in board.rows] == [16, 8, 32]
    assert ranks(board) == ["=1", "=1", "3"]
    best, near, far = (row.test for row in board.rows)
    assert best and near and far
    assert best.p is None and near.p is not None and far.p is not None
    assert near.p > 0.05 > 0.001 > far.p
    low, high = best.intervals["val/accuracy"]
    assert low < board.rows[0].metrics["val/accuracy"].mean < high
    assert best.intervals["test/accuracy"] == (low, high)
    assert any("not to be told from the best" in note for note in notes)
    header, *lines = csv_table(board).splitlines()
    cells = dict(zip(header.split(","), lines[2].split(","), strict=True))
    assert float(cells["p"]) == far.p
    assert float(cells["val/accuracy low"]) == far.intervals["val/accuracy"][0]
    assert cells["rank"] == "3"


def test_a_best_setting_that_stands_alone_has_no_mark(tmp_path: Path) -> None:
    for seed in (1, 2):
        write_run(tmp_path / f"a{seed}", 0.9, 8, seed)
        write_run(tmp_path / f"b{seed}", 0.5, 16, seed)
    assert ranks(compared_board(tmp_path).board) == ["1", "2"]


def test_runs_of_before_are_ranked_as_they_were(tmp_path: Path) -> None:
    for hidden, accuracy in ((8, 0.8), (16, 0.9)):
        write(tmp_path / f"{hidden}", record(accuracy, model__hidden_size=hidden))
    result = compared_board(tmp_path)
    assert ranks(result.board) == ["1", "2"]
    assert result.notes == [
        "no difference to the best setting was tested: no run kept answers from which val/accuracy "
        "follows"
    ]
    titles = [column.title for column in columns_of(result.board)]
    assert "p" not in titles and not any("95%" in title for title in titles)
    assert slice_tables(result.board, Reader()) == []


def test_a_setting_without_answers_is_said_not_to_be_compared(tmp_path: Path) -> None:
    write_run(tmp_path / "a", 0.8, 8)
    write_run(tmp_path / "b", 0.79, 16)
    (write_run(tmp_path / "c", 0.7, 32) / ANSWERS_FILE).unlink()
    result = compared_board(tmp_path)
    assert ranks(result.board) == ["=1", "=1", "3"]
    assert "1 setting not compared: runs of before kept no answers" in result.notes
    assert any("settings of one run each" in note for note in result.notes)


def test_seeds_of_other_splits_are_not_paired_and_that_is_said(tmp_path: Path) -> None:
    for seed in (1, 2):
        write_run(tmp_path / f"a{seed}", 0.8, 8, seed, split=seed)
        write_run(tmp_path / f"b{seed}", 0.7, 16, seed, split=10 + seed)
    write_run(tmp_path / "c", 0.79, 32, 1, split=1)
    result = compared_board(tmp_path)
    tests = [row.test for row in result.board.rows]
    assert [test and test.p is not None for test in tests] == [False, True, False]
    notes = "\n".join(result.notes)
    assert "1 setting measured on other reviews than the best" in notes and "split_seed" in notes
    assert "1 run without a counterpart on the same reviews left out" in notes


def test_each_seed_s_own_split_is_paired_with_the_same_seed_s(tmp_path: Path) -> None:
    for seed in (1, 2, 3):
        write_run(tmp_path / f"a{seed}", 0.85 + seed / 100, 8, seed, split=seed)
        write_run(tmp_path / f"b{seed}", 0.45 + seed / 100, 16, seed, split=seed)
    result = compared_board(tmp_path)
    assert ranks(result.board) == ["1", "2"]
    assert not any("other reviews" in note or "counterpart" in note for note in result.notes)


def test_where_nothing_could_be_paired_it_is_said_why(tmp_path: Path) -> None:
    start = "no difference to the best setting was tested: "
    write_run(tmp_path / "a", 0.8, 8, split=1)
    assert compared_board(tmp_path).notes == []  # there is nothing to compare it with
    write_run(tmp_path / "b", 0.7, 16, split=2)
    (note,) = compared_board(tmp_path).notes
    assert note.startswith(f"{start}no other one was measured on the same reviews")
    (tmp_path / "b" / ANSWERS_FILE).unlink()
    assert compared_board(tmp_path).notes == [f"{start}the others' runs kept no answers"]
    write_run(tmp_path / "b", 0.7, 16)
    (tmp_path / "a" / ANSWERS_FILE).unlink()
    assert compared_board(tmp_path).notes == [f"{start}its runs kept no answers"]


def write_texts(folder: Path, texts: list[str], right: list[int], seed: int) -> None:
    write(folder, record(0.5, seed=seed))
    labels = np.ones(len(texts), int)
    second = np.where(np.array(right) == 1, 0.9, 0.1)
    keys = ReviewKeys(as_ids(f"{seed}-{number}" for number in range(len(texts))), slices_of(texts))
    probabilities = np.stack([1 - second, second], axis=1)
    write_answers(folder, {"val": answers_of(keys, labels, probabilities, ("bad", "good"))})


def test_slices_have_the_counts_of_the_runs_and_no_accuracy_where_they_are_empty(
    tmp_path: Path,
) -> None:
    write_texts(tmp_path / "a", ["왜?", "좋다", "좋다"], [1, 1, 0], 1)
    write_texts(tmp_path / "b", ["나쁘다", "좋다", "좋다"], [1, 1, 0], 2)
    write_texts(tmp_path / "c", ["왜?", "왜?", "좋다"], [0, 0, 0], 3)
    (table,) = slice_tables(compared_board(tmp_path).board, Reader())
    names, *others = (column.texts for column in table.columns)
    sizes, accuracy = (dict(zip(names, texts, strict=True)) for texts in others)
    assert names == ["all", SHORT, "question"]
    assert sizes == {"all": "3", SHORT: "3", "question": "0 to 2"}
    assert accuracy == {"all": "0.4444", SHORT: "0.4444", "question": "0.3333"}


def test_intervals_stay_where_the_metric_can_be(tmp_path: Path) -> None:
    for seed, accuracy in ((1, 0.99), (2, 0.9)):
        write_run(tmp_path / f"a{seed}", accuracy, 8, seed)
    write_run(tmp_path / "b", 1.0, 16)
    wide, none = (row.test for row in reversed(compared_board(tmp_path).board.rows))
    assert wide and none
    low, high = wide.intervals["val/accuracy"]
    assert 0 <= low < 0.9 and high == 1
    assert none.intervals == {}  # all right, which says nothing of how sure that is


def test_another_metric_is_tested_as_well(tmp_path: Path) -> None:
    monitor: dict[str, Any] = {"callbacks__checkpoint": {"monitor": "val/macro_f1"}}
    for hidden, accuracy in ((8, 0.8), (16, 0.5)):
        for seed in (1, 2, 3):
            folder = tmp_path / f"{hidden}-{seed}"
            write_run(folder, accuracy, hidden, seed, **monitor)
            content = json.loads((folder / "run.json").read_text())
            content["metrics"]["val/macro_f1"] = accuracy
            write(folder, content)
    board = compared_board(tmp_path).board
    assert board.metric == "val/macro_f1" and ranks(board) == ["1", "2"]
    assert board.rows[0].test and "val/macro_f1" in board.rows[0].test.intervals


def test_damaged_answers_are_named_and_the_run_still_counts(tmp_path: Path) -> None:
    write_run(tmp_path / "a", 0.8, 8)
    (write_run(tmp_path / "b", 0.7, 16) / ANSWERS_FILE).write_bytes(b"garbage")
    shown = write_report([tmp_path], tmp_path / "out")
    assert shown.count("its answers cannot be read") == 1
    assert f"b/{ANSWERS_FILE}" in shown


def test_a_report_shows_the_best_settings_by_slice(tmp_path: Path) -> None:
    for seed in (1, 2):
        write_run(tmp_path / f"a{seed}", 0.9, 8, seed)
        write_run(tmp_path / f"b{seed}", 0.5, 16, seed)
    (table,) = slice_tables(compared_board(tmp_path).board, Reader())
    slices, sizes, best, other = table.columns
    assert slices.texts == ["all", *(name for name in SLICES if name in (SHORT, "question"))]
    assert best.title == "1: hidden_size=8" and other.title == "2: hidden_size=16"
    by_name = dict(zip(slices.texts, best.values, strict=True))
    assert by_name["all"] == pytest.approx(0.9)
    assert dict(zip(slices.texts, sizes.values, strict=True))["question"] == 100
    shown = write_report([tmp_path], tmp_path / "out")
    for text in (
        *(shown, (tmp_path / "out" / "leaderboard.md").read_text(encoding="utf-8")),
        (tmp_path / "out" / "report.html").read_text(encoding="utf-8"),
    ):
        assert "Accuracy by slice of the validation part" in text and "question" in text


def test_a_metric_that_cannot_be_told_has_neither_interval_nor_test(tmp_path: Path) -> None:
    monitor: dict[str, Any] = {"callbacks__checkpoint": {"monitor": "val/unknown"}}
    for hidden in (8, 16):
        folder = write_run(tmp_path / f"{hidden}", 0.8, hidden, **monitor)
        content = json.loads((folder / "run.json").read_text())
        content["metrics"]["val/unknown"] = 0.5
        write(folder, content)
    board = compared_board(tmp_path).board
    assert ranks(board) == ["1", "2"]
    assert board.rows[0].test and [*board.rows[0].test.intervals] == ["test/accuracy"]
