"""`nsmc report`: from folders of runs to a table, pictures and a page."""

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from matplotlib.figure import Figure

from nsmc.atomic import write_file
from nsmc.experiments.commands import predict_command, shortened
from nsmc.experiments.reports.figures import figures
from nsmc.experiments.reports.leaderboard import (
    CORPUS,
    Leaderboard,
    leaderboard,
    problems_in,
    without_repeats,
)
from nsmc.experiments.reports.page import page
from nsmc.experiments.reports.plots import FILES, plots
from nsmc.experiments.reports.runs import Problem, Run, problems_of, read_runs, shown_path
from nsmc.experiments.reports.tables import csv_table, markdown_table, terminal_table
from nsmc.experiments.reports.values import numbers, shown

IMPORTANCES_FILE = "importances.json"  # in a search's folder: share by hyperparameter

_SEVERAL = Path("outputs", "report")  # for a report over several folders
_PROBLEMS_SHOWN = 20  # on the terminal


def write_report(
    folders: Sequence[Path],
    output: Path | None = None,
    importances: Mapping[str, float] | None = None,
    ansi: bool = False,
) -> str:
    """Report over all runs below the folders; returns what a terminal shows of it.

    Writes leaderboard.csv, leaderboard.md, report.html and PNG plots to `output`: by default to the
    folder, or to outputs/report where there are several. `importances` are a search's, by
    hyperparameter, read from its folder where they are not given; `ansi` makes the best setting
    bold. Raises OSError or ValueError, in one line, for a folder without runs and an output that
    cannot be written.
    """
    target = output or (folders[0] if len(folders) == 1 else _SEVERAL)
    runs, damaged = read_runs(folders)
    finished = [run for run in runs if run.status == "finished"]
    counted = without_repeats(finished)
    board = leaderboard(counted)
    problems = [*problems_of(runs), *problems_in(board), *damaged]
    notes = _notes(board, runs, len(finished) - len(counted))
    shares = dict(sorted(numbers(dict(importances or _importances(folders))).items()))
    about = f"{datetime.now():%Y-%m-%d %H:%M}, from {', '.join(map(shown_path, folders))}"
    _write(target, board, problems, notes, shares, about)
    table = [terminal_table(board, ansi)] if board.rows else []
    return "\n".join([*table, *_told(notes), *_listed(problems), *_where(target), *_winners(board)])


def _importances(folders: Sequence[Path]) -> dict[str, object]:
    """What a search left in its folder; nothing where several folders would mix theirs."""
    if len(folders) != 1:
        return {}
    try:
        found = json.loads((folders[0] / IMPORTANCES_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(
    target: Path,
    board: Leaderboard,
    problems: Sequence[Problem],
    notes: Sequence[str],
    importances: Mapping[str, float],
    about: str,
) -> None:
    target.mkdir(parents=True, exist_ok=True)
    drawn = plots(board, importances)
    for name in FILES:
        if name in drawn:
            write_file(target / name, _png(drawn[name]))
        else:  # an earlier report's
            (target / name).unlink(missing_ok=True)
    write_file(target / "leaderboard.csv", _encoded(csv_table(board)))
    write_file(target / "leaderboard.md", _encoded(markdown_table(board)))
    html = page(board, figures(board, importances), problems, notes, about)
    write_file(target / "report.html", _encoded(html))


def _notes(board: Leaderboard, runs: Sequence[Run], repeats: int) -> list[str]:
    counted = sum(len(row.runs) for row in board.rows)
    pruned = sum(run.status == "pruned" for run in runs)
    told = f"{_count(counted, 'finished run')} of {_count(len(board.rows), 'setting')}"
    order = "lowest" if board.lower_is_better else "highest"
    notes = [f"{told}, {order} {board.metric} first; ± is the standard deviation over runs"]
    if CORPUS in board.columns:
        notes.append("corpora are ranked apart: metrics on different ones cannot be compared")
    if pruned:
        notes.append(f"{_count(pruned, 'run')} pruned by the search")
    if repeats:
        notes.append(f"{_count(repeats, 'repeat')} of the same job left out: the newest counts")
    return notes


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


def _winners(board: Leaderboard) -> list[str]:
    """The best run of each corpus, and how to ask the first one's bundle."""
    lines, commands = [], []
    for row in board.rows:
        if not row.is_best or row.best is None:
            continue
        bundle = row.best.folder / "bundle"
        has_bundle = bundle.is_dir()
        corpus = f" ({shown(row.values[0])})" if CORPUS in board.columns else ""
        lines.append(f"best    {shown_path(bundle if has_bundle else row.best.folder)}{corpus}")
        if has_bundle and row.best.config.get("task", "classify") == "classify":
            commands.append(f"try     {predict_command(shortened(bundle.absolute()))}")
    return [*lines, *commands[:1]]


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _png(figure: Figure) -> bytes:
    image = io.BytesIO()
    figure.savefig(image, format="png")
    return image.getvalue()


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "replace")
