"""`nsmc report`: from folders of runs to a table, pictures and a page."""

import io
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from matplotlib.figure import Figure

from nsmc.atomic import write_file
from nsmc.config.commands import predict_command, shortened
from nsmc.reports.figures import figures
from nsmc.reports.leaderboard import (
    CORPUS,
    Leaderboard,
    leaderboards,
    problems_in,
    without_repeats,
)
from nsmc.reports.page import Section, page
from nsmc.reports.plots import FILES, plots
from nsmc.reports.runs import Problem, Run, problems_of, read_runs, shown_path
from nsmc.reports.settings import TASKS
from nsmc.reports.tables import csv_table, markdown_tables, title_of
from nsmc.reports.terminal import WIDTH, terminal_table
from nsmc.reports.values import numbers, shown
from nsmc.runtime.choosing import BEST_FILE
from nsmc.small_files import read_text

IMPORTANCES_FILE = "importances.json"  # in a search's folder: share by hyperparameter

_SEVERAL = Path("outputs", "report")  # for a report over several folders
_DEVIATION = "± is the standard deviation over runs"
_PROBLEMS_SHOWN = 20  # on the terminal


def write_report(
    folders: Sequence[Path],
    output: Path | None = None,
    importances: Mapping[str, float] | None = None,
    ansi: bool = False,
    is_sweep: bool = False,
) -> str:
    """Report over all runs below the folders; returns what a terminal shows of it.

    There is a table for each task. Writes leaderboard.csv, leaderboard.md, report.html and PNG
    plots to `output`: by default to the folder, or to outputs/report where there are several.
    `importances` are a search's, by hyperparameter, read from its folder where they are not given;
    `ansi` makes the best setting bold, and lines as long as the terminal is wide. In the folder of
    a sweep (`is_sweep`) best.json names the best run. Raises OSError or ValueError, in one line,
    for a folder without runs and an output that cannot be written.
    """
    target = output or (folders[0] if len(folders) == 1 else _SEVERAL)
    runs, damaged = read_runs(folders)
    finished = [run for run in runs if run.status == "finished"]
    counted = without_repeats(finished)
    boards = leaderboards(counted)
    missing = [problem for board in boards for problem in problems_in(board)]
    problems = [*problems_of(runs), *missing, *damaged]
    notes = _notes(boards, runs, len(finished) - len(counted))
    shares = dict(sorted(numbers(dict(importances or _importances(folders))).items()))
    about = f"{datetime.now():%Y-%m-%d %H:%M}, from {', '.join(map(shown_path, folders))}"
    _write(target, boards, problems, notes, shares, about)
    if is_sweep:
        _remember_best(target, boards)
    width = shutil.get_terminal_size((WIDTH, 0)).columns if ansi else WIDTH
    tables = _titled(boards, [terminal_table(board, ansi, width) for board in boards])
    told = [*_told(notes), *_listed(problems), *_where(target), *_winners(boards)]
    return "\n".join([*tables, *told])


def _titled(boards: Sequence[Leaderboard], tables: Sequence[str]) -> list[str]:
    """The tables, below titles where there are several."""
    if len(boards) < 2:
        return [*tables]
    pairs = zip(boards, tables, strict=True)
    return "\n\n".join(f"{title_of(board)}:\n{table}" for board, table in pairs).split("\n")


def _importances(folders: Sequence[Path]) -> dict[str, object]:
    """What a search left in its folder; nothing where several folders would mix theirs."""
    if len(folders) != 1:
        return {}
    try:
        found = json.loads(read_text(folders[0] / IMPORTANCES_FILE))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(
    target: Path,
    boards: Sequence[Leaderboard],
    problems: Sequence[Problem],
    notes: Sequence[str],
    importances: Mapping[str, float],
    about: str,
) -> None:
    target.mkdir(parents=True, exist_ok=True)
    pictures: dict[str, Figure] = {}
    sections = []
    for board in boards:
        is_first = board is boards[0]
        shares = importances if is_first else {}  # a search is of one task
        for name, figure in plots(board, shares).items():
            pictures[name if is_first else f"{board.task}_{name}"] = figure
        title = title_of(board) if len(boards) > 1 else "Leaderboard"
        sections.append(Section(title, board, figures(board, shares)))
    for name in {*FILES, *(f"{task}_{name}" for task in TASKS for name in FILES)} - {*pictures}:
        (target / name).unlink(missing_ok=True)  # an earlier report's
    for name, figure in pictures.items():
        write_file(target / name, _png(figure))
    write_file(target / "leaderboard.csv", _encoded(csv_table(*boards)))
    write_file(target / "leaderboard.md", _encoded(markdown_tables(boards)))
    write_file(target / "report.html", _encoded(page(sections, problems, notes, about)))


def _notes(boards: Sequence[Leaderboard], runs: Sequence[Run], repeats: int) -> list[str]:
    pruned = sum(run.status == "pruned" for run in runs)
    notes = [_order(board, len(boards) > 1) for board in boards] or ["0 finished runs"]
    if len(boards) == 1:
        notes = [f"{notes[0]}; {_DEVIATION}"]
    elif boards:
        notes.append(_DEVIATION)
    if any(CORPUS in board.columns for board in boards):
        notes.append("corpora are ranked apart: metrics on different ones cannot be compared")
    if pruned:
        notes.append(f"{_count(pruned, 'run')} pruned by the search")
    if repeats:
        notes.append(f"{_count(repeats, 'repeat')} of the same job left out: the newest counts")
    return notes


def _order(board: Leaderboard, is_one_of_several: bool) -> str:
    counted = sum(len(row.runs) for row in board.rows)
    told = f"{_count(counted, 'finished run')} of {_count(len(board.rows), 'setting')}"
    order = "lowest" if board.lower_is_better else "highest"
    title = f"{title_of(board)}: " if is_one_of_several else ""
    return f"{title}{told}, {order} {board.metric} first"


def _told(notes: Iterable[str]) -> list[str]:
    return ["", *notes]


def _listed(problems: Sequence[Problem]) -> list[str]:
    if not problems:
        return []
    width = max(len(problem.status) for problem in problems)
    lines = [f"  {each.status:<{width}}  {each.name}: {each.why}" for each in problems]
    more = len(lines) - _PROBLEMS_SHOWN
    left_out = [f"  … and {more:,} more: see report.html"] if more > 0 else []
    return ["", "Without a result:", *lines[:_PROBLEMS_SHOWN], *left_out]


def _where(target: Path) -> list[str]:
    return ["", f"report  {shown_path(target / 'report.html')} (and leaderboard.csv, .md, plots)"]


def _winners(boards: Sequence[Leaderboard]) -> list[str]:
    """The best run of each task and corpus, and how to ask the first classifier's bundle."""
    lines, commands = [], []
    rows = [(row, board.columns) for board in boards for row in board.rows if row.is_best]
    for row, columns in rows:
        if row.best is None:
            continue
        bundle = row.best.folder / "bundle"
        has_bundle = bundle.is_dir()
        corpus = f" ({shown(row.values[0])})" if CORPUS in columns else ""
        lines.append(f"best    {shown_path(bundle if has_bundle else row.best.folder)}{corpus}")
        if has_bundle and row.best.config.get("task", "classify") == "classify":
            commands.append(f"try     {predict_command(shortened(bundle.absolute()))}")
    return [*lines, *commands[:1]]


def _remember_best(sweep: Path, boards: Sequence[Leaderboard]) -> None:
    """Say in the sweep's folder which classifier `nsmc predict` is to take."""
    for board in boards:
        for row in board.rows:
            if board.task == "classify" and row.is_best and row.best is not None:
                why = f"best of {_count(len(board.rows), 'setting')} by {board.metric}"
                best = {"run": row.best.folder.name, "why": why}
                write_file(sweep / BEST_FILE, json.dumps(best, ensure_ascii=False) + "\n")
                return


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _png(figure: Figure) -> bytes:
    image = io.BytesIO()
    figure.savefig(image, format="png")
    return image.getvalue()


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "replace")
