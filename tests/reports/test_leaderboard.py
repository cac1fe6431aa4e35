"""The leaderboard, against cases worked by hand, and its forms as text."""

import csv
import random
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nsmc.reports.groups import PALETTE, grouping
from nsmc.reports.leaderboard import (
    Leaderboard,
    Statistic,
    leaderboard,
    leaderboards,
    problems_in,
    statistic,
    without_repeats,
)
from nsmc.reports.runs import Run, read_runs
from nsmc.reports.settings import short_names
from nsmc.reports.tables import csv_table, markdown_table, markdown_tables
from nsmc.reports.terminal import WIDTH, terminal_table
from tests.reports.factories import FINGERPRINT, record, write


def runs_of(folder: Path, *records: dict[str, Any]) -> list[Run]:
    for place, content in enumerate(records):
        write(folder / f"{place}", content)
    runs, problems = read_runs([folder])
    assert not problems
    return runs


def board_of(folder: Path, *records: dict[str, Any]) -> Leaderboard:
    return leaderboard(runs_of(folder, *records))


def numbers_of(metric: Statistic | None) -> tuple[float | None, float | None]:
    return (metric.mean, metric.deviation) if metric else (None, None)


def test_settings_are_ranked_by_the_mean_over_seeds(tmp_path: Path) -> None:
    lstm = {"model__cell": "lstm"}
    board = board_of(
        tmp_path,
        record(0.80, 0.90, seed=1),
        record(0.82, 0.92, seed=2),
        record(0.85, 0.70, seed=1, **lstm),
        record(0.81, 0.72, seed=2, **lstm),
        record(0.83, None, seed=3, **lstm),
    )
    assert board.columns == ["cell"] and board.metric == "val/accuracy"
    first, second = board.rows
    assert (first.values, first.label, first.is_best) == (("lstm",), "lstm", True)
    assert numbers_of(first.score) == pytest.approx((0.83, 0.02))
    assert numbers_of(first.test) == pytest.approx((0.71, 0.0002**0.5))
    assert numbers_of(second.score) == pytest.approx((0.81, 0.0002**0.5))
    assert not second.is_best  # for all its better test accuracy
    assert csv_table(board).splitlines()[0] == (
        "rank,cell,runs,val/accuracy,val/accuracy std,test/accuracy,test/accuracy std,"
        "parameters,seconds,reviews/s,MB,best run"
    )
    assert markdown_table(board) == (
        "| rank | cell | runs | val/accuracy | test/accuracy | parameters | seconds | reviews/s "
        "| MB | best run |\n"
        "| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |\n"
        "| 1 | lstm | 3 | **0.8300 ± 0.0200** | 0.7100 ± 0.0141 | 1,379,330 | 70 | 8,000 "
        f"| 6.00 | {tmp_path}/2 |\n"
        "| 2 | gru | 2 | 0.8100 ± 0.0141 | 0.9100 ± 0.0141 | 1,379,330 | 70 | 8,000 | 6.00 "
        f"| {tmp_path}/1 |\n"
    )


def test_one_run_has_no_deviation_and_no_setting(tmp_path: Path) -> None:
    board = board_of(tmp_path, record(0.8))
    assert board.columns == [] and board.rows[0].label.endswith("0")
    assert terminal_table(board).splitlines() == [
        "rank  runs  val/accuracy  parameters  seconds  reviews/s    MB  best run",
        "   1     1  0.8000         1,379,330       70      8,000  6.00  0",
    ]


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
    assert terminal_table(board).splitlines()[1].endswith("gru_lr-0.…2_3fa9c1")
    assert statistic([0.5, None]) == Statistic(0.5, None)
    assert statistic([None]) is None


def test_the_lowest_loss_is_the_best(tmp_path: Path) -> None:
    records = [record(0.9, model__lr=0.1), record(0.8, model__lr=0.2)]
    for content, loss in zip(records, (0.5, 0.4), strict=True):
        content["config"]["callbacks"]["checkpoint"]["monitor"] = "val/loss"
        content["metrics"]["val/loss"] = loss
    board = board_of(tmp_path, *records)
    assert board.metric == "val/loss" and board.lower_is_better
    assert [row.values for row in board.rows] == [(0.2,), (0.1,)]


def test_runs_that_watched_different_metrics_are_ranked_by_accuracy(tmp_path: Path) -> None:
    other = record(0.7)
    other["config"]["callbacks"]["checkpoint"]["monitor"] = "val/loss"
    board = board_of(tmp_path, record(0.8), other)
    assert (board.metric, board.columns) == ("val/accuracy", ["monitor"])


def test_keys_without_effect_are_no_columns(tmp_path: Path) -> None:
    other = record(0.8, seed=2, data__root="elsewhere", data__cache_dir="c", data__name="copy")
    config = other["config"]
    config |= {"sweep": {"name": "x"}, "resume": "auto", "search": {"trials": 9}, "test": False}
    config["logger"], config["trainer"]["log_every_n_steps"] = {"csv": False}, 1
    config["callbacks"]["log_interval_seconds"] = 1.0
    board = board_of(tmp_path, record(0.8, seed=1), other)
    assert board.columns == [] and len(board.rows) == 1


def test_a_fixed_split_is_a_setting_and_one_that_follows_the_seed_is_none(tmp_path: Path) -> None:
    fixed = [record(0.7, seed=seed, data__split_seed=1) for seed in (1, 2, 3)]
    following = [record(0.8, seed=seed, data__split_seed=seed) for seed in (4, 5)]
    assert board_of(tmp_path / "fixed", *fixed).columns == []
    board = board_of(tmp_path / "both", *fixed, *following)
    assert [(row.values, len(row.runs)) for row in board.rows] == [(("seed",), 2), ((1,), 3)]


def test_a_dropout_that_follows_the_others_is_no_column(tmp_path: Path) -> None:
    records = [record(0.8 - share, model__dropout=share) for share in (0.1, 0.2)]
    for content in records:
        model = content["config"]["model"]
        model |= {"embedding_dropout": model["dropout"], "output_dropout": model["dropout"]}
    assert board_of(tmp_path / "following", *records).columns == ["dropout"]
    records[0]["config"]["model"]["embedding_dropout"] = 0.2
    other = record(0.5, model__dropout=0.3)
    other["config"]["model"] |= {"embedding_dropout": 0.3, "output_dropout": 0.3}
    board = board_of(tmp_path / "one", *records, other)
    assert board.columns == ["dropout", "embedding_dropout"]
    assert [row.values for row in board.rows] == [(0.1, 0.2), (0.2, 0.2), (0.3, "dropout")]


def test_what_a_run_starts_and_learns_from_is_a_setting(tmp_path: Path) -> None:
    student = record(0.85, init_from="outputs/a/encoder/bundle")
    distill = {"weight": 0.9, "temperature": 1.0}
    student["config"]["distill"] = {**distill, "teachers": ["outputs/b/gru", "outputs/c/gru"]}
    plain = record(0.8, init_from=None)
    plain["config"]["distill"] = {"weight": 0.7, "temperature": 1.0, "teachers": []}
    board = board_of(tmp_path, student, plain, record(0.7, seed=2, init_from=None))
    assert board.columns == ["init_from", "teachers"]
    assert [(row.values, len(row.runs)) for row in board.rows] == [
        (("encoder", "outputs/b/gru + outputs/c/gru"), 1),
        (("–", "–"), 2),
    ]


def mixed() -> list[dict[str, Any]]:
    """Records of all three tasks; each has its own settings that differ."""
    language_models = [record(None, task="pretrain", model__hidden_size=h) for h in (64, 128)]
    for content, loss in zip(language_models, (7.5, 7.0), strict=True):
        content["config"]["callbacks"]["checkpoint"]["monitor"] = "val/loss"
        content["metrics"]["val/loss"] = loss
    return [
        record(0.8, task="classify", model__cell="lstm"),
        *language_models,
        record(0.9, task="linear", linear={"ngram_max": 6}, model__lr=1.0),
        {**record(0.7, task="linear", linear={"ngram_max": 4}), "bundle_bytes": 0},
    ]


def test_tasks_are_ranked_apart_each_by_its_own_settings_and_metric(tmp_path: Path) -> None:
    boards = leaderboards(runs_of(tmp_path, *mixed()))
    assert [(board.task, board.columns, board.metric) for board in boards] == [
        ("classify", [], "val/accuracy"),
        ("linear", ["ngram_max"], "val/accuracy"),
        ("pretrain", ["hidden_size"], "val/loss"),
    ]
    assert [row.values for row in boards[2].rows] == [(128,), (64,)]
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
    headings = [line for line in markdown_tables(boards).splitlines() if line.startswith("#")]
    assert headings == ["## Recurrent classifiers", "## Linear classifiers", "## Language models"]


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ("@SUM(1+1)", "'@SUM(1+1)"),
        ("+1+cmd", "'+1+cmd"),
        ("-2+3+cmd", "'-2+3+cmd"),
        ('"=1+1"', '\'"=1+1"'),
        ("'=1+1", "''=1+1"),
        ("＝1+1", "'＝1+1"),
        ("-0.5", "-0.5"),
        ("-1e-05", "-1e-05"),
        ("a=b", "a=b"),
        ("2-3", "2-3"),
    ],
)
def test_no_cell_is_a_formula_and_numbers_stay_numbers(
    tmp_path: Path, text: str, cell: str
) -> None:
    values = [record(model__note=note, model__bias=-0.25) for note in (text, "none")]
    values[0]["config"]["model"]["=1+1"] = -1
    lines = list(csv.reader(csv_table(leaderboard(runs_of(tmp_path, *values))).splitlines()))
    titles = lines[0]
    assert "'=1+1" in titles
    notes = {line[titles.index("note")]: line[titles.index("'=1+1")] for line in lines[1:]}
    assert notes[cell] == "-1"


@pytest.mark.parametrize("width", [80, 100, 140])
def test_of_many_settings_a_terminal_says_how_a_row_differs(tmp_path: Path, width: int) -> None:
    changes: list[dict[str, Any]] = [
        {"model__embedding_dim": 64},
        {"model__lr": 0.1, "data__vocab_size": 500},
        {"trainer__gradient_clip_val": None},
        {"data__labels": ["부정", "긍정"], "seed": 2},
        {"data__batch_size": 64, "model__bidirectional": True, "trainer__max_epochs": 12},
        {},
        {"model__cell": "lstm"},
    ]
    records = [record(0.9 - place / 100, **each) for place, each in enumerate(changes)]
    board = board_of(tmp_path, *records)
    lines = terminal_table(board, width=width).splitlines()
    assert lines[0].startswith("rank  cell  differs from most in")
    assert max(len(line) for line in lines) <= width
    cells = [re.split(r" {2,}", line.strip())[1:3] for line in lines[1:8]]
    assert cells[0] == ["gru", "embedding_dim=64"]
    assert cells[2:4] == [["gru", "gradient_clip_val=null"], ["gru", 'labels=["부정", "긍정"]']]
    assert cells[4][1].startswith("batch_size=64, bidirect")
    assert cells[5:] == [["gru", "–"], ["lstm", "–"]]
    # A table that is whole begins with what matters.
    assert markdown_table(board).startswith("| rank | runs | val/accuracy | cell | labels |")


def test_names_of_columns_are_short_where_that_is_clear() -> None:
    keys = ["model.lr", "data.size", "model.size", "trainer.seconds", "ckpt_path"]
    names = ["lr", "data.size", "model.size", "trainer.seconds", "ckpt_path"]
    assert short_names(keys, ["seconds"]) == names


def test_corpora_are_told_apart_and_ranked_apart(tmp_path: Path) -> None:
    ours = {**record(0.7), "corpus_fingerprint": "aaaaaa11"}
    others = {**record(0.9, seed=2), "corpus_fingerprint": "bbbbbb22"}
    sample = {**record(0.8, data__name="sample"), "corpus_fingerprint": "cccccc33"}
    board = board_of(tmp_path, ours, others, sample)
    assert board.columns == ["corpus"]
    rows = [(*row.values, row.is_best) for row in board.rows]
    assert rows == [("nsmc aaaaaa", True), ("nsmc bbbbbb", True), ("sample", True)]


def test_a_job_in_two_folders_counts_once_and_the_newest_is_it(tmp_path: Path) -> None:
    old, new = record(0.7), record(0.8)
    new["finished"] = "2026-01-02T00:00:00+00:00"
    untested = {**record(0.8, test=False), "finished": "2026-01-01T00:00:00+00:00"}
    runs = runs_of(tmp_path, old, new, untested, record(0.7, seed=2))
    kept = without_repeats(runs)
    assert [(run.metrics["val/accuracy"], run.config["seed"]) for run in kept] == [
        (0.8, 1),
        (0.7, 2),
    ]


def test_runs_without_a_signature_are_no_repeats_of_each_other(tmp_path: Path) -> None:
    runs = runs_of(tmp_path, {**record(0.7), "signature": ""}, {**record(0.8), "signature": ""})
    assert len(without_repeats(runs)) == 2


def test_a_run_without_the_metric_comes_last_and_is_a_problem(tmp_path: Path) -> None:
    lost = record(float("nan"), model__lr=0.1)
    board = board_of(tmp_path, lost, record(0.5))
    assert [row.score is None for row in board.rows] == [False, True]
    (problem,) = problems_in(board)
    assert problem.why == "its record has no val/accuracy"
    assert list(csv.reader(csv_table(board).splitlines()))[2][3:5] == ["", ""]


def test_only_a_terminal_gets_the_best_in_bold(tmp_path: Path) -> None:
    board = board_of(tmp_path, record(0.8), record(0.7, model__lr=0.1))
    plain, bold = terminal_table(board).splitlines(), terminal_table(board, ansi=True).splitlines()
    assert bold == [plain[0], f"\x1b[1m{plain[1]}\x1b[0m", plain[2]]


def test_a_wide_table_is_made_to_fit(tmp_path: Path) -> None:
    wide: dict[str, Any] = {"data__padding": "longest" * 9, "model__embedding_dimension_of_all": 1}
    wide |= {"trainer__some_long_name": 3}
    lines = terminal_table(board_of(tmp_path, record(0.8), record(0.7, **wide))).splitlines()
    assert max(len(line) for line in lines) <= WIDTH
    assert lines[2].split()[1] == "longestlon…stlongest"
    assert lines[-1].startswith("(no room for reviews/s")


def test_many_settings_are_cut_short(tmp_path: Path) -> None:
    records = [record(0.5 + lr / 1000, model__lr=lr) for lr in range(40)]
    board = board_of(tmp_path, *records)
    assert terminal_table(board).splitlines()[-1] == "… and 10 more settings"
    assert len(markdown_table(board).splitlines()) == 42
    assert set(grouping(board).of_row) == {PALETTE[0]}  # too many values for colours


def test_markup_in_a_value_stays_text(tmp_path: Path) -> None:
    odd = record(0.7, ckpt_path="a|b<i>*")
    assert "a&#124;b&#60;i&#62;&#42;" in markdown_table(board_of(tmp_path, record(), odd))


def test_colours_stand_for_the_cell(tmp_path: Path) -> None:
    records = [
        record(0.1 * place, model__cell=cell, data__batch_size=size)
        for place, (cell, size) in enumerate([("gru", 1), ("lstm", 1), ("gru", 2)])
    ]
    colours = grouping(board_of(tmp_path, *records))
    assert colours.title == "cell"
    assert [(group.name, group.colour) for group in colours.groups] == [
        ("gru", PALETTE[0]),
        ("lstm", PALETTE[1]),
    ]
    assert colours.of_row == [PALETTE[0], PALETTE[1], PALETTE[0]]


@settings(deadline=None)
@given(
    scores=st.lists(st.integers(0, 1000), min_size=1, max_size=12),
    order=st.randoms(use_true_random=False),
)
def test_the_order_of_the_runs_does_not_matter(scores: list[int], order: random.Random) -> None:
    runs = [
        Run(
            name=f"{place}",
            status="finished",
            error="",
            signature=f"{place}",
            config={"model.lr": place % 4, "seed": place},
            fingerprint=FINGERPRINT,
            metrics={"val/accuracy": score / 1000},
            measures={},
            curve=[],
            ended=0.0,
        )
        for place, score in enumerate(scores)
    ]
    shuffled = order.sample(runs, len(runs))
    table = csv_table(leaderboard(runs))
    expected = [line.split(",") for line in table.splitlines()]
    found = [line.split(",") for line in csv_table(leaderboard(shuffled)).splitlines()]
    assert [line[:-5] for line in found] == [line[:-5] for line in expected]
    means = [row.score.mean for row in leaderboard(runs).rows if row.score]
    assert means == sorted(means, reverse=True)
