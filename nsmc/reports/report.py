"""`nsmc report`: from folders of runs to tables, charts and a page, and what a terminal shows."""

import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from nsmc.atomic import write_file
from nsmc.reports.charts import NAMES, charts_of
from nsmc.reports.confidence import RELIABILITY, coverage_tables, reliability_charts
from nsmc.reports.front_chart import FRONT, front_charts
from nsmc.reports.hardest import hardest_of
from nsmc.reports.leaderboard import Leaderboard, drop_repeats, leaderboards, problems_in
from nsmc.reports.page import Section, page
from nsmc.reports.records import Problem, Run, display_path, problems_of, read_runs
from nsmc.reports.remarks import remarks, tagged, without_tries
from nsmc.reports.render_png import png
from nsmc.reports.settings import CORPUS, FOLD, TASKS
from nsmc.reports.significance import Reader, with_significance
from nsmc.reports.slices import slice_tables
from nsmc.reports.tables import Table, csv_table, markdown, markdown_table
from nsmc.reports.terminal_table import WIDTH, plain_table, terminal_table
from nsmc.reports.values import finite_numbers
from nsmc.reports.winner import best_lines, count, notes_on_limits, write_best
from nsmc.small_files import read_text

IMPORTANCES_FILE = "importances.json"  # in a search's folder: share by hyperparameter

_OUTPUT_OF_SEVERAL = Path("outputs", "report")  # for a report over several folders
_MAX_PROBLEMS = 20  # on the terminal
_SLICE_COLUMNS = 4  # there: slice, reviews, and the two best settings


def write_report(
    folders: Sequence[Path],
    output: Path | None = None,
    ansi: bool = False,
    is_sweep: bool = False,
    tags: Sequence[str] = (),
) -> str:
    """Report over the runs below the folders that have these tags; returns what a terminal shows.

    There is a section for each task. Writes leaderboard.csv, leaderboard.md, report.html and PNG
    charts to `output`: by default to the folder, or to outputs/report if there are several, and of
    tagged runs alone to a folder of their own there, so that the whole report stays. `ansi`
    makes the best setting bold, and lines as long as the terminal is wide. In the folder of a sweep
    (`is_sweep`) best.json names the best run. Raises OSError or ValueError, in one line, for a
    folder without runs, or such runs, and an output that cannot be written.
    """
    target = output or _default_output(folders, tags)
    runs, damaged = read_runs(folders)
    runs, about_tries = without_tries(tagged(runs, tags))
    finished = [run for run in runs if run.status == "finished"]
    counted = drop_repeats(finished)
    reader = Reader()
    after = [with_significance(board, reader) for board in leaderboards(counted)]
    boards = [each.board for each in after]
    slices = [slice_tables(board, reader) for board in boards]
    tables = [[*of, *coverage_tables(board)] for board, of in zip(boards, slices, strict=True)]
    missing = [problem for board in boards for problem in problems_in(board)]
    sections, unread = _sections(boards, tables, reader, _read_importances(folders))
    problems = [*problems_of(runs), *missing, *damaged, *reader.problems, *unread]
    notes = [f"runs with {_tags(tags)} alone"] if tags else []
    notes += _notes(boards, runs, len(finished) - len(counted)) + about_tries + remarks(counted)
    notes += dict.fromkeys(note for each in after for note in each.notes)
    about = f"{datetime.now():%Y-%m-%d %H:%M}, from {', '.join(map(display_path, folders))}"
    about += f", runs with {_tags(tags)} alone" if tags else ""
    target.mkdir(parents=True, exist_ok=True)
    _write_charts(target, sections)
    write_file(target / "leaderboard.csv", csv_table(*boards))
    write_file(target / "leaderboard.md", _markdown(boards, tables))
    write_file(target / "report.html", page(sections, problems, notes, about))
    if is_sweep:
        write_best(target, boards)
    width = shutil.get_terminal_size((WIDTH, 0)).columns if ansi else WIDTH
    shown = _tables(boards, lambda board: terminal_table(board, ansi, width), "{}:\n")
    paths = f"report  {display_path(target / 'report.html')} (and leaderboard.csv, .md, charts)"
    lines = [
        shown,
        *_slice_lines(slices),
        "",
        *notes,
        *_problem_lines(problems),
        "",
        paths,
        *best_lines(boards),
    ]
    return "\n".join(lines)


def _default_output(folders: Sequence[Path], tags: Sequence[str]) -> Path:
    whole = folders[0] if len(folders) == 1 else _OUTPUT_OF_SEVERAL
    if not tags:
        return whole
    name = re.sub(r"[^\w.+-]", "_", "_".join(["report", *tags]))[:100]
    return whole / name if len(folders) == 1 else whole.with_name(name)


def _tags(tags: Sequence[str]) -> str:
    return " and ".join(f"the tag {tag}" for tag in tags)


def _read_importances(folders: Sequence[Path]) -> dict[str, float]:
    """What a search left in its folder; nothing of several folders, which may be about anything."""
    if len(folders) != 1:
        return {}
    try:
        return finite_numbers(json.loads(read_text(folders[0] / IMPORTANCES_FILE)))
    except (OSError, ValueError, RecursionError):
        return {}


def _markdown(boards: Sequence[Leaderboard], tables: Sequence[Sequence[Table]]) -> str:
    parts = [_tables(boards, markdown_table, "## {}\n\n")]
    parts += [f"### {table.title}\n\n{markdown(table.columns)}" for of in tables for table in of]
    return "\n\n".join(parts) + "\n"


def _slice_lines(slices: Sequence[Sequence[Table]]) -> list[str]:
    """What a terminal shows: the best settings of all, as far as there is room for them."""
    tables = [table for of_board in slices for table in of_board]
    return [
        line
        for title, columns in tables[:1]
        for line in ("", f"{title}:", plain_table(columns[:_SLICE_COLUMNS]))
    ]


def _sections(
    boards: Sequence[Leaderboard],
    tables: Sequence[Sequence[Table]],
    reader: Reader,
    importances: Mapping[str, float],
) -> tuple[list[Section], list[Problem]]:
    """A section for each board, and what could not be read for them."""
    sections, problems = [], list[Problem]()
    for board, of_board in zip(boards, tables, strict=True):
        title = board.title if len(boards) > 1 else "Leaderboard"
        charts = [
            *front_charts(board),
            *charts_of(board, importances if board is boards[0] else {}),  # a search is of one task
            *reliability_charts(board, reader),
        ]
        hardest, damaged = hardest_of(board)
        sections.append(Section(title, board, charts, of_board, hardest))
        problems += damaged
    return sections, problems


def _write_charts(target: Path, sections: Sequence[Section]) -> None:
    """A PNG for each chart, named after its task from the second on; an earlier report's go."""
    names = (FRONT, *NAMES, RELIABILITY)
    stems = {*names, *(f"{task}_{name}" for task in TASKS for name in names)}
    for section in sections:
        prefix = "" if section is sections[0] else f"{section.board.task}_"
        for chart in section.charts:
            write_file(target / f"{prefix}{chart.name}.png", png(chart))
            stems.discard(f"{prefix}{chart.name}")
    for stem in stems:
        (target / f"{stem}.png").unlink(missing_ok=True)


def _tables(
    boards: Sequence[Leaderboard], table: Callable[[Leaderboard], str], heading: str
) -> str:
    """A table for each board, below headings if there are several."""
    headings = [heading.format(board.title) if len(boards) > 1 else "" for board in boards]
    pairs = zip(headings, map(table, boards), strict=True)
    return "\n\n".join(title + text for title, text in pairs)


def _notes(boards: Sequence[Leaderboard], runs: Sequence[Run], repeats: int) -> list[str]:
    pruned = sum(run.status == "pruned" for run in runs)
    notes = []
    for board in boards:
        title = f"{board.title}: " if len(boards) > 1 else ""
        finished = count(sum(len(row.runs) for row in board.rows), "finished run")
        settings = count(len(board.rows), "setting")
        order = "lowest" if board.lower_is_better else "highest"
        notes.append(f"{title}{finished} of {settings}, {order} {board.metric} first")
    notes.append("± is the standard deviation over runs" if boards else "0 finished runs")
    if len(boards) == 1:
        notes = ["; ".join(notes)]
    notes += _fold_notes(boards)
    if any(CORPUS in board.columns for board in boards):
        notes.append("corpora are ranked apart: metrics on different ones cannot be compared")
    notes += notes_on_limits(boards)
    if pruned:
        notes.append(f"{count(pruned, 'run')} pruned by the search")
    if repeats:
        notes.append(f"{count(repeats, 'repeat')} of the same job left out: the newest counts")
    return notes


def _fold_notes(boards: Sequence[Leaderboard]) -> list[str]:
    """Say that runs are folds, and where a setting lacks some, whose mean is not comparable."""
    notes, lacking = dict[str, None](), 0
    for board in boards:
        for row in board.rows:
            folds = {run.config.get(FOLD, "null") for run in row.runs} - {"null"}
            wanted = row.best.config.get("data.folds")
            if folds:
                notes[f"runs of the {wanted} folds of a setting count like those of its seeds"] = (
                    None
                )
                lacking += len(folds) != wanted
    return [*notes, *([f"{count(lacking, 'setting')} without all folds"] if lacking else [])]


def _problem_lines(problems: Sequence[Problem]) -> list[str]:
    if not problems:
        return []
    width = max(len(problem.status) for problem in problems)
    lines = [
        f"  {problem.status:<{width}}  {problem.name}: {problem.reason}" for problem in problems
    ]
    more = len(lines) - _MAX_PROBLEMS
    note = [f"  … and {more:,} more: see report.html"] if more > 0 else []
    return ["", "Without a result:", *lines[:_MAX_PROBLEMS], *note]
