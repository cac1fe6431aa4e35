"""The leaderboard on a terminal, which has little room."""

import re
from pathlib import Path
from typing import Any

import pytest

from nsmc.reports.leaderboard import leaderboard
from nsmc.reports.records import read_runs
from nsmc.reports.tables import markdown_table
from nsmc.reports.terminal_table import WIDTH, terminal_table
from tests.reports.factories import board_of, record, write


@pytest.fixture(autouse=True)
def _in_the_folder_of_the_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_one_run_has_no_deviation_and_no_setting(tmp_path: Path) -> None:
    board = board_of(tmp_path, record(0.8))
    assert board.columns == [] and board.rows[0].label.endswith("0")
    assert terminal_table(board).splitlines() == [
        "rank  runs  val/accuracy  parameters  seconds  reviews/s    MB  best run",
        "   1     1  0.8000         1,379,330       70      8,000  6.00  0",
    ]


@pytest.mark.parametrize("width", [80, 100, 140])
def test_of_many_settings_a_terminal_says_how_a_row_differs(tmp_path: Path, width: int) -> None:
    changes: list[dict[str, Any]] = [
        {"model__embedding_dim": 64},
        {"model__lr": 0.1, "data__vocab_size": 500},
        {"trainer__gradient_clip_val": None},
        {"data__labels": ["부정", "긍정"], "seed": 2},
        {"data__batch_size": 64, "model__bidirectional": True, "trainer__max_epochs": 12},
        {},
        {"model__architecture": "lstm"},
    ]
    records = [record(0.9 - index / 100, **each) for index, each in enumerate(changes)]
    board = board_of(tmp_path, *records)
    lines = terminal_table(board, width=width).splitlines()
    assert lines[0].startswith("rank  architecture  differs from most in")
    assert max(len(line) for line in lines) <= width
    cells = [re.split(r" {2,}", line.strip())[1:3] for line in lines[1:8]]
    assert cells[0] == ["gru", "embedding_dim=64"]
    labels = 'label_map={"0": "부정", "1": "긍정"}'
    assert cells[2:4] == [["gru", "gradient_clip_val=null"], ["gru", labels]]
    assert cells[4][1].startswith("batch_size=64, bidirect")
    assert cells[5:] == [["gru", "–"], ["lstm", "–"]]


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
    assert lines[3].startswith("(no room for parameters, seconds, reviews/s")


def test_many_settings_are_cut_short(tmp_path: Path) -> None:
    records = [record(0.5 + lr / 1000, model__lr=lr) for lr in range(40)]
    board = board_of(tmp_path, *records)
    assert terminal_table(board).splitlines()[-1] == "… and 10 more settings"
    assert len(markdown_table(board).splitlines()) == 42


def test_each_row_s_folder_is_named_whole_in_the_table_or_below_it(tmp_path: Path) -> None:
    name = "gru_hidden_size-128_seed-42_3fa9c1"
    write(tmp_path / "runs" / "2026-01-01_12-00-00_nsmc_gru_1d52", record(0.9, model__lr=0.1))
    write(tmp_path / "sweeps" / "one" / name, record(0.8))
    write(tmp_path / "runs" / "unmeasured", record(None, model__lr=0.2))
    board = leaderboard(read_runs([tmp_path])[0])
    wide, narrow = (terminal_table(board, width=width).splitlines() for width in (140, 80))
    names = ["runs/2026-01-01_12-00-00_nsmc_gru_1d52", f"sweeps/one/{name}", "runs/unmeasured"]
    assert [line.split()[-1] for line in wide[1:4]] == names
    assert narrow[-5:] == [
        "",
        "rank  best run",
        *(f"   {rank}  {folder}" for rank, folder in enumerate(names, 1)),
    ]


def test_where_ranks_begin_anew_the_corpus_stays(tmp_path: Path) -> None:
    names = ("a", "b")
    runs = [
        record(0.8, data__name=name, model__lr=lr) for name, lr in zip(names, (1, 2), strict=True)
    ]
    for run, name in zip(runs, names, strict=True):
        run["corpus_fingerprint"] = name
    lines = terminal_table(board_of(tmp_path, *runs), width=40).splitlines()
    assert [line.split()[:2] for line in lines[:3]] == [["rank", "corpus"], ["1", "a"], ["1", "b"]]
    assert lines[-3:] == [
        "rank  corpus  best run",
        "   1  a       0",
        "   1  b       1",
    ]


def test_settings_that_a_summary_tells_are_not_said_to_be_missing(tmp_path: Path) -> None:
    records = [
        record(0.9, **{f"model__a_long_name_{number}": value for number in range(7)})
        for value in (1, 2)
    ]
    lines = terminal_table(board_of(tmp_path, *records), width=90).splitlines()
    assert lines[0].startswith("rank  differs from most in")
    assert "a_long_name_0=1, a" in lines[1] and "a_long_name_0=2, a" in lines[2]
    assert lines[3] == "(no room for parameters, seconds, reviews/s, MB: see leaderboard.md)"
