"""The leaderboard as CSV and Markdown."""

import csv
from pathlib import Path

import pytest

from nsmc.reports.leaderboard import leaderboard
from nsmc.reports.tables import csv_table, markdown_table
from tests.reports.factories import board_of, record, runs_of


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


def test_markup_in_a_value_stays_text(tmp_path: Path) -> None:
    odd = record(0.7, ckpt_path="a|b<i>*")
    assert "a&#124;b&#60;i&#62;&#42;" in markdown_table(board_of(tmp_path, record(), odd))


def test_of_many_settings_those_that_hardly_vary_share_a_column(tmp_path: Path) -> None:
    keys = [f"model__k{number}" for number in range(7)]
    records = [record(0.9 - i / 100, model__lr=i, **{key: 1}) for i, key in enumerate(keys)]
    board = board_of(tmp_path, *records)
    title, _, first, *_ = markdown_table(board).splitlines()
    assert title.startswith("| rank | runs | val/accuracy | lr | differs from most in | param")
    assert "| 0 | k0=1 |" in first
    titles = csv_table(board).splitlines()[0].split(",")
    assert {"lr", *(key[-2:] for key in keys)} <= set(titles) and len(titles) == 17


def test_the_csv_has_all_metrics_and_other_tables_those_that_count(tmp_path: Path) -> None:
    values = [record(0.8, 0.7), record(0.9, 0.75, model__lr=0.1)]
    values[1]["metrics"]["test/calibration_error"] = 0.02
    board = leaderboard(runs_of(tmp_path, *values))
    rows = {line["val/accuracy"]: line for line in csv.DictReader(csv_table(board).splitlines())}
    assert rows["0.9"]["test/calibration_error"] == "0.02"
    assert rows["0.8"]["test/calibration_error"] == ""
    assert "calibration" not in markdown_table(board)


def test_a_row_without_the_metric_names_its_run_too(tmp_path: Path) -> None:
    board = board_of(tmp_path, record(0.8), record(None, model__lr=0.1))
    assert [line[-1] for line in csv.reader(csv_table(board).splitlines())][1:] == [
        f"{tmp_path}/0",
        f"{tmp_path}/1",
    ]
    assert f"| {tmp_path}/1 |" in markdown_table(board)
