"""The leaderboard against cases worked by hand."""

import csv
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nsmc.reports.leaderboard import (
    Row,
    Statistic,
    drop_repeats,
    leaderboard,
    leaderboards,
    problems_in,
)
from nsmc.reports.records import Run, read_runs
from nsmc.reports.tables import csv_table, markdown_table
from nsmc.reports.terminal_table import terminal_table
from tests.reports.factories import FINGERPRINT, board_of, mixed, record, runs_of, write


def numbers_of(row: Row, metric: str) -> tuple[float, float | None]:
    return row.metrics[metric].mean, row.metrics[metric].deviation


def test_settings_are_ranked_by_the_mean_over_seeds(tmp_path: Path) -> None:
    lstm = {"model__architecture": "lstm"}
    board = board_of(
        tmp_path,
        record(0.80, 0.90, seed=1),
        record(0.82, 0.92, seed=2),
        record(0.85, 0.70, seed=1, **lstm),
        record(0.81, 0.72, seed=2, **lstm),
        record(0.83, None, seed=3, **lstm),
    )
    assert board.columns == ["architecture"] and board.metric == "val/accuracy"
    first, second = board.rows
    assert (first.values, first.label, first.is_best) == ({"architecture": "lstm"}, "lstm", True)
    assert numbers_of(first, "val/accuracy") == pytest.approx((0.83, 0.02))
    assert numbers_of(first, "test/accuracy") == pytest.approx((0.71, 0.0002**0.5))
    assert numbers_of(second, "val/accuracy") == pytest.approx((0.81, 0.0002**0.5))
    assert not second.is_best  # for all its better test accuracy
    assert csv_table(board).splitlines()[0] == (
        "rank,architecture,runs,val/accuracy,val/accuracy std,test/accuracy,test/accuracy std,"
        "parameters,seconds,reviews/s,MB,best run"
    )
    assert markdown_table(board) == (
        "| rank | architecture | runs | val/accuracy | test/accuracy | parameters | seconds "
        "| reviews/s | MB | best run |\n"
        "| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |\n"
        "| 1 | lstm | 3 | **0.8300 ± 0.0200** | 0.7100 ± 0.0141 | 1,379,330 | 70 | 8,000 "
        f"| 6.00 | {tmp_path}/2 |\n"
        "| 2 | gru | 2 | 0.8100 ± 0.0141 | 0.9100 ± 0.0141 | 1,379,330 | 70 | 8,000 | 6.00 "
        f"| {tmp_path}/1 |"
    )


def test_each_setting_s_best_run_is_named(tmp_path: Path) -> None:
    monitor: dict[str, Any] = {"callbacks": {"checkpoint": {"monitor": "val/loss"}}}
    losses = {(1, 0.1): 0.5, (2, 0.1): 0.4, (1, 0.2): 0.6, (2, 0.2): None}
    for (seed, lr), loss in losses.items():
        made = record(0.8, seed=seed, model__lr=lr, **monitor)
        made["metrics"] |= {"val/loss": loss}
        name = f"gru_lr-{lr}_with-a-long-name-that-a-terminal-has-no-room-for_seed-{seed}_3fa9c1"
        write(tmp_path / name, made)
    board = leaderboard(read_runs([tmp_path])[0])
    assert [row.best.folder.name[-13:] for row in board.rows if row.best] == [
        "seed-2_3fa9c1",
        "seed-1_3fa9c1",
    ]
    best = str(next(tmp_path.glob("*0.1*seed-2_3fa9c1")))
    assert csv_table(board).splitlines()[1].endswith(best)
    assert best in markdown_table(board)
    assert terminal_table(board).splitlines()[-2] == f"   1  {best}"
    assert numbers_of(board.rows[0], "val/loss") == pytest.approx((0.45, 0.005**0.5))
    assert board.rows[1].metrics["val/loss"] == Statistic(0.6, None)


def test_the_lowest_loss_is_the_best(tmp_path: Path) -> None:
    records = [record(0.9, model__lr=0.1), record(0.8, model__lr=0.2)]
    for content, loss in zip(records, (0.5, 0.4), strict=True):
        content["config"]["callbacks"]["checkpoint"]["monitor"] = "val/loss"
        content["metrics"]["val/loss"] = loss
    board = board_of(tmp_path, *records)
    assert board.metric == "val/loss" and board.lower_is_better
    assert [row.values for row in board.rows] == [{"lr": 0.2}, {"lr": 0.1}]


def test_runs_that_watched_different_metrics_are_ranked_by_accuracy(tmp_path: Path) -> None:
    other = record(0.7)
    other["config"]["callbacks"]["checkpoint"]["monitor"] = "val/loss"
    board = board_of(tmp_path, record(0.8), other)
    assert (board.metric, board.columns) == ("val/accuracy", ["monitor"])


def test_tasks_are_ranked_apart_each_by_its_own_settings_and_metric(tmp_path: Path) -> None:
    boards = leaderboards(runs_of(tmp_path, *mixed()))
    assert [(board.task, board.columns, board.metric) for board in boards] == [
        ("classify", [], "val/accuracy"),
        ("linear", ["ngram_max"], "val/accuracy"),
        ("pretrain", ["hidden_size"], "val/loss"),
    ]
    assert [row.values["hidden_size"] for row in boards[2].rows] == [128, 64]
    assert not [problem for board in boards for problem in problems_in(board)]
    lines = csv_table(*boards).splitlines()
    assert [line.rpartition(",")[0] for line in lines] == [  # but for the folders
        "task,rank,ngram_max,hidden_size,runs,val/accuracy,val/accuracy std,val/loss,val/loss std,"
        "parameters,seconds,reviews/s,MB",
        "classify,1,,,1,0.8,,,,1379330,70,8000,6.0",
        "linear,1,6,,1,0.9,,,,1379330,70,8000,6.0",
        "linear,2,4,,1,0.7,,,,1379330,70,8000,",
        "pretrain,1,,128,1,,,7.0,,1379330,70,8000,6.0",
        "pretrain,2,,64,1,,,7.5,,1379330,70,8000,6.0",
    ]
    titles = ["Neural classifiers", "Linear classifiers", "Language models"]
    assert [board.title for board in boards] == titles


def test_corpora_have_distinct_names_and_are_ranked_apart(tmp_path: Path) -> None:
    ours = {**record(0.7), "corpus_fingerprint": "aaaaaa11"}
    others = {**record(0.9, seed=2), "corpus_fingerprint": "bbbbbb22"}
    sample = {**record(0.8, data__name="sample"), "corpus_fingerprint": "cccccc33"}
    board = board_of(tmp_path, ours, others, sample)
    assert board.columns == ["corpus"]
    rows = [(row.values["corpus"], row.rank, row.is_best) for row in board.rows]
    assert rows == [("nsmc aaaaaa", 1, True), ("nsmc bbbbbb", 1, True), ("sample", 1, True)]


def test_a_setting_is_described_by_all_that_was_varied(tmp_path: Path) -> None:
    board = board_of(tmp_path, record(0.8), record(0.7, model__architecture="lstm", model__lr=0.1))
    assert [row.label for row in board.rows] == ["gru, lr=0.004", "lstm, lr=0.1"]
    assert not board.usual


def test_of_many_columns_only_what_is_unusual_is_named(tmp_path: Path) -> None:
    zeros: dict[str, Any] = {f"model__k{number}": 0 for number in range(6)}
    records = [record(0.9 - lr / 10, model__lr=lr, **zeros) for lr in (1, 2)]
    sample = record(0.6, data__name="sample", model__lr=3, **{**zeros, "model__k0": 7})
    for number in range(1, 6):  # each is varied by a run of its own
        records.append(record(0.1, model__lr=3, **{**zeros, f"model__k{number}": 1}))
    board = board_of(tmp_path, *records, {**sample, "corpus_fingerprint": "other"})
    assert board.usual == {**{f"k{number}": 0 for number in range(6)}, "lr": 3}
    labels = [row.label for row in board.rows]
    assert labels[:3] == ["nsmc, lr=1", "nsmc, lr=2", "nsmc, k1=1"]
    assert labels[-1] == "sample, k0=7"


def test_a_job_in_two_folders_counts_once_and_the_newest_is_it(tmp_path: Path) -> None:
    old, new = record(0.7), record(0.8)
    new["finished"] = "2026-01-02T00:00:00+00:00"
    untested = {**record(0.8, test=False), "finished": "2026-01-01T00:00:00+00:00"}
    runs = runs_of(tmp_path, old, new, untested, record(0.7, seed=2))
    kept = drop_repeats(runs)
    assert [(run.metrics["val/accuracy"], run.config["seed"]) for run in kept] == [
        (0.8, 1),
        (0.7, 2),
    ]


def test_runs_without_a_signature_are_no_repeats_of_each_other(tmp_path: Path) -> None:
    runs = runs_of(tmp_path, {**record(0.7), "signature": ""}, {**record(0.8), "signature": ""})
    assert len(drop_repeats(runs)) == 2


def test_a_run_without_the_metric_comes_last_and_is_a_problem(tmp_path: Path) -> None:
    lost = record(float("nan"), model__lr=0.1)
    board = board_of(tmp_path, lost, record(0.5))
    assert ["val/accuracy" in row.metrics for row in board.rows] == [True, False]
    (problem,) = problems_in(board)
    assert problem.reason == "its record has no val/accuracy"
    assert list(csv.reader(csv_table(board).splitlines()))[2][3:5] == ["", ""]


@settings(deadline=None)
@given(
    scores=st.lists(st.integers(0, 1000), min_size=1, max_size=12),
    order=st.randoms(use_true_random=False),
)
def test_the_order_of_the_runs_does_not_matter(scores: list[int], order: random.Random) -> None:
    runs = [
        Run(
            name=f"{index}",
            status="finished",
            error="",
            signature=f"{index}",
            config={"model.lr": index % 4, "seed": index},
            fingerprint=FINGERPRINT,
            metrics={"val/accuracy": score / 1000},
            curve=[],
            ended="",
        )
        for index, score in enumerate(scores)
    ]
    shuffled = order.sample(runs, len(runs))
    table = csv_table(leaderboard(runs))
    expected = [line.split(",") for line in table.splitlines()]
    found = [line.split(",") for line in csv_table(leaderboard(shuffled)).splitlines()]
    assert [line[:-5] for line in found] == [line[:-5] for line in expected]
    means = [row.metrics["val/accuracy"].mean for row in leaderboard(runs).rows]
    assert means == sorted(means, reverse=True)
