"""How the best settings do on kinds of reviews: short ones, negations, questions and so on."""

from collections.abc import Sequence

import numpy as np

from nsmc.comparison.answers import Answers
from nsmc.comparison.slices import members
from nsmc.reports.leaderboard import Leaderboard, Row
from nsmc.reports.records import Run
from nsmc.reports.settings import CORPUS
from nsmc.reports.significance import Reader
from nsmc.reports.tables import Column, Table, rank_of
from nsmc.reports.values import ellipsize_middle, format_value

MOST_SETTINGS = 5
_LONGEST_LABEL = 30  # characters
_ALL = "all"


def slice_tables(board: Leaderboard, reader: Reader) -> list[Table]:
    """For each corpus of whose runs answers were kept: accuracy on its validation part.

    A row for each slice, a column for each of the best settings.
    """
    tables = []
    for best in [row for row in board.rows if row.is_best]:
        corpus = best.values.get(CORPUS)
        rows = [row for row in board.rows if row.values.get(CORPUS) == corpus][:MOST_SETTINGS]
        columns = _columns(rows, reader)
        if columns:
            of = "" if corpus is None else f", {format_value(corpus)}"
            tables.append(Table(f"Accuracy by slice of the validation part{of}", columns))
    return tables


def _columns(rows: Sequence[Row], reader: Reader) -> list[Column]:
    by_row = {row.rank: _answers(row.runs, reader) for row in rows}
    kept = [row for row in rows if by_row[row.rank]]
    if not kept:
        return []
    runs = [answers for row in kept for answers in by_row[row.rank]]
    sizes = {name: _sizes(runs, name) for name in (_ALL, *runs[0].slice_names)}
    names = [name for name, of_runs in sizes.items() if max(of_runs)]
    largest = [max(sizes[name]) for name in names]
    columns = [
        Column("slice", names, names, "setting"),
        Column("reviews", [_range(sizes[name]) for name in names], largest, "runs"),
    ]
    for row in kept:
        shares = [_accuracy(by_row[row.rank], name) for name in names]
        texts = ["" if share is None else f"{share:.4f}" for share in shares]
        title = f"{rank_of(row)}: {ellipsize_middle(row.label, _LONGEST_LABEL)}"
        columns.append(Column(title, texts, shares, "metric"))
    return columns


def _answers(runs: Sequence[Run], reader: Reader) -> list[Answers]:
    return [answers for run in runs if (answers := reader.answers(run, "val")) is not None]


def _sizes(runs: Sequence[Answers], name: str) -> list[int]:
    """How many reviews of a slice each run has; parts of other seeds have other reviews."""
    return [len(_part(answers, name)) for answers in runs]


def _range(sizes: Sequence[int]) -> str:
    low, high = min(sizes), max(sizes)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _accuracy(runs: Sequence[Answers], name: str) -> float | None:
    """On the reviews of a slice, of all runs together; None without any."""
    is_right = np.concatenate([_part(answers, name) for answers in runs])
    return float(is_right.mean()) if len(is_right) else None


def _part(answers: Answers, name: str) -> np.ndarray:
    """Whether the answers to the reviews of a slice are right."""
    if name == _ALL:
        return answers.is_right
    if name not in answers.slice_names:
        return answers.is_right[:0]
    return answers.is_right[members(answers.slices, answers.slice_names.index(name))]
