"""Limits that runs of a search break, and the front of its objectives."""

import json
from pathlib import Path
from typing import Any

import pytest

from nsmc.reports.front import front
from nsmc.reports.front_chart import front_charts
from nsmc.reports.leaderboard import leaderboard
from nsmc.reports.report import write_report
from nsmc.reports.tables import columns_of
from nsmc.reports.terminal_table import terminal_table
from tests.reports.factories import board_of, record, runs_of

OBJECTIVES = ["accuracy", "size"]


def of_search(accuracy: float, megabytes: float, hidden: int, **search: Any) -> dict[str, Any]:
    made = record(accuracy, model__hidden_size=hidden)
    made["config"]["search"] = {"trials": 5, **search}
    return {**made, "bundle_bytes": round(megabytes * 1e6), "microseconds": 10.0 * hidden}


# By accuracy: on the front, beaten by the first (as accurate, larger), on the front twice, beaten.
TRIALS = ((0.90, 5.0), (0.90, 6.0), (0.85, 3.0), (0.80, 1.0), (0.79, 2.0))
RECORDS = [
    of_search(accuracy, size, hidden, objectives=OBJECTIVES)
    for hidden, (accuracy, size) in enumerate(TRIALS, start=1)
]


@pytest.mark.parametrize(
    ("points", "marks"),
    [
        ([(0.9, 5), (0.9, 6), (0.8, 1)], [True, False, True]),
        ([(0.9, 5), (0.9, 5)], [True, True]),
        ([(0.9, None), (0.8, 1)], [False, True]),
        ([], []),
    ],
)
def test_what_nothing_beats_is_on_the_front(points: Any, marks: list[bool]) -> None:
    keys = ("val/accuracy", "bundle_bytes")
    means = [
        {key: value for key, value in zip(keys, point, strict=True) if value is not None}
        for point in points
    ]
    assert front(means, OBJECTIVES) == marks
    assert front(means, []) == [False] * len(points)


def test_settings_on_the_front_are_marked_and_the_most_accurate_wins(tmp_path: Path) -> None:
    board = board_of(tmp_path, *RECORDS)
    assert [row.on_front for row in board.rows] == [True, False, True, True, False]
    assert [row.is_best for row in board.rows] == [True, False, False, False, False]
    columns = {column.title: column.texts for column in columns_of(board)}
    assert columns["front"] == ["●", "", "●", "●", ""]
    assert columns["µs"] == ["10", "20", "30", "40", "50"]


def test_each_objective_has_a_column_even_where_space_is_scarce(tmp_path: Path) -> None:
    objectives = ["accuracy", "auroc", "size"]
    records = [of_search(a, m, h, objectives=objectives) for h, (a, m) in enumerate(TRIALS)]
    for content, auroc in zip(records, (0.95, 0.96, 0.9, 0.85, 0.8), strict=True):
        content["metrics"]["val/auroc"] = auroc
    board = board_of(tmp_path, *records)
    columns = {column.title: column for column in columns_of(board)}
    assert columns["val/auroc"].texts == ["0.9500", "0.9600", "0.9000", "0.8500", "0.8000"]
    assert columns["val/auroc"].role == "metric" and [*columns].count("MB") == 1
    heading = terminal_table(board, width=60).splitlines()[0].split()
    assert {"val/accuracy", "val/auroc", "MB"} <= {*heading}
    assert "seconds" not in heading


def test_the_front_is_drawn(tmp_path: Path) -> None:
    board = board_of(tmp_path, *RECORDS)
    (chart,) = front_charts(board)
    assert chart.title == "Front of accuracy and size"
    means, line = chart.series
    assert len(means.points) == 5
    assert [(p.x, p.y) for p in line.points] == [(1.0, 0.80), (3.0, 0.85), (5.0, 0.90)]
    assert front_charts(leaderboard(runs_of(tmp_path / "b", record(0.8), record(0.9)))) == []


def test_a_report_names_the_front_and_its_most_accurate(tmp_path: Path) -> None:
    runs_of(tmp_path, *RECORDS)
    shown = write_report([tmp_path], is_sweep=True)
    assert "●: 3 settings on the front of accuracy and size" in shown
    assert (tmp_path / "front.png").stat().st_size > 0
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Front of accuracy and size" in page and "●" in page
    best = json.loads((tmp_path / "best.json").read_text())
    why = "the most accurate of 3 settings on the front of accuracy and size"
    assert best == {"run": "0", "why": why}
    runs_of(tmp_path, *[record(0.8), record(0.9)])  # of no search: the earlier chart goes
    write_report([tmp_path])
    assert not (tmp_path / "front.png").exists()


@pytest.mark.parametrize("limit", [{"max_megabytes": 4.0}, {"max_microseconds": 25.0}], ids=str)
def test_a_setting_above_a_limit_never_wins(tmp_path: Path, limit: dict[str, float]) -> None:
    board = board_of(tmp_path, of_search(0.9, 5.0, 3, **limit), of_search(0.8, 3.0, 2, **limit))
    assert [(row.is_over, row.is_best) for row in board.rows] == [(False, True), (True, False)]
    assert columns_of(board)[0].texts == ["1", "over"]
    shown = write_report([tmp_path], is_sweep=True)
    assert "over: 1 setting above a limit of the search, which cannot win" in shown
    assert json.loads((tmp_path / "best.json").read_text())["run"] == "1"


def test_where_all_are_above_the_limits_that_is_said(tmp_path: Path) -> None:
    runs_of(tmp_path, of_search(0.9, 5.0, 3, max_megabytes=1.0))
    assert "best    " not in write_report([tmp_path], is_sweep=True)
    best = json.loads((tmp_path / "best.json").read_text())
    assert best["run"] == "0" and "above the limits" in best["why"]


def test_a_search_that_somebody_made_up_has_no_front(tmp_path: Path) -> None:
    for number, objectives in enumerate((["a", "b"], [[1], {}], "[", [None, 1], {"x": 1})):
        made = [of_search(0.9, 5.0, 1, objectives=objectives), of_search(0.8, 4.0, 2)]
        made[1]["config"]["search"] = made[0]["config"]["search"]
        assert board_of(tmp_path / f"{number}", *made).objectives == ()
