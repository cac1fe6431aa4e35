"""Which setting won, and by what: for who reads the report, and for `nsmc predict`."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from nsmc.atomic import write_file
from nsmc.config.commands import predict_command, relative_path
from nsmc.reports.leaderboard import ACCURACY, Leaderboard, Row
from nsmc.reports.records import display_path
from nsmc.reports.settings import CORPUS
from nsmc.reports.values import format_value
from nsmc.runtime.locate import BEST_FILE


def best_lines(boards: Sequence[Leaderboard]) -> list[str]:
    """The best run of each task and corpus, and a command for the first classifier's bundle."""
    lines, commands = [], []
    for board, row in _best_rows(boards):
        bundle = row.best.folder / "bundle"
        has_bundle = bundle.is_dir()
        corpus = f" ({format_value(row.values[CORPUS])})" if CORPUS in row.values else ""
        lines.append(f"best    {display_path(bundle if has_bundle else row.best.folder)}{corpus}")
        if has_bundle and board.task == "classify":
            commands.append(f"try     {predict_command(relative_path(bundle.absolute()))}")
    return [*lines, *commands[:1]]


def write_best(sweep: Path, boards: Sequence[Leaderboard]) -> None:
    """Say in the sweep's folder which classifier `nsmc predict` should use."""
    for board in boards:
        within = [row for row in board.rows if row.is_best]
        over = [row for row in board.rows if row.is_over]
        if board.task != "classify" or not (within or over):
            continue
        why = _why(board) if within else "the best, but above the limits of the search, as all are"
        best = {"run": (within or over)[0].best.folder.name, "why": why}
        write_file(sweep / BEST_FILE, json.dumps(best, ensure_ascii=False) + "\n")
        return


def notes_on_limits(boards: Sequence[Leaderboard]) -> Iterator[str]:
    """What to say of a search's limits, and of its front."""
    for board in boards:
        if over := sum(row.is_over for row in board.rows):
            yield f"over: {count(over, 'setting')} above a limit of the search, which cannot win"
        if board.objectives:
            yield (
                f"●: {_on_front(board)} on the front of {_objectives(board)}: no other "
                f"is as good in all and better in one; best is the {_most(board)} of them"
            )


def count(number: int, noun: str) -> str:
    """Such as "1 run" or "1,200 runs"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _why(board: Leaderboard) -> str:
    if board.objectives:
        return f"the {_most(board)} of {_on_front(board)} on the front of {_objectives(board)}"
    return f"best of {count(len(board.rows), 'setting')} by {board.metric}"


def _objectives(board: Leaderboard) -> str:
    """Such as "accuracy, size and time"."""
    *others, last = board.objectives
    return f"{', '.join(others)} and {last}"


def _on_front(board: Leaderboard) -> str:
    return count(sum(row.on_front for row in board.rows), "setting")


def _most(board: Leaderboard) -> str:
    return "most accurate" if board.metric == ACCURACY else f"best by {board.metric}"


def _best_rows(boards: Sequence[Leaderboard]) -> list[tuple[Leaderboard, Row]]:
    return [(board, row) for board in boards for row in board.rows if row.is_best]
