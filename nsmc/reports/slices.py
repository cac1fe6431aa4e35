"""How the best settings do on kinds of reviews: short ones, negations, questions and so on."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from nsmc.comparison.answers import Answers
from nsmc.comparison.slices import members
from nsmc.reports.leaderboard import Leaderboard, Row
from nsmc.reports.records import Run
from nsmc.reports.settings import CORPUS
from nsmc.reports.significance import Reader
from nsmc.reports.tables import Column, rank_of
from nsmc.reports.values import ellipsize_middle, format_value

MOST_SETTINGS = 5
_LONGEST_LABEL = 30  # characters
_ALL = "all"


class SliceTable(NamedTuple):
    """A row for each slice, a column for each of the best settings of a corpus."""

    title: str
    columns: list[Column]


def slice_tables(board: Leaderboard, reader: Reader) -> list[SliceTable]:
    """For each corpus of whose runs answers were kept: accuracy on its validation part."""
    tables = []
    for best in [row for row in board.rows if row.is_best]:
        corpus = best.values.get(CORPUS)
        rows = [row for row in board.rows if row.values.get(CORPUS) == corpus][:MOST_SETTINGS]
        columns = _columns(rows, reader)
        if columns:
            of = "" if corpus is None else f", {format_value(corpus)}"
            tables.append(SliceTable(f"Accuracy by slice of the validation part{of}", columns))
    return tables


def _columns(rows: Sequence[Row], reader: Reader) -> list[Column]:
    by_row = {row.rank: _answers(row.runs, reader) for row in rows}
    kept = [row for row in rows if by_row[row.rank]]
    if not kept:
        return []
    first = by_row[kept[0].rank][0]
    names: Sequence[str] = (_ALL, *first.slice_names)
    sizes = _over_slices(by_row[kept[0].rank], names, counts=True)
    names = [name for name, size in zip(names, sizes, strict=True) if size]
    sizes = [size for size in sizes if size]
    columns = [
        Column("slice", names, names, "setting"),
        Column("reviews", [f"{size:,.0f}" for size in sizes], sizes, "runs"),
    ]
    for row in kept:
        shares = _over_slices(by_row[row.rank], names)
        texts = ["" if share is None else f"{share:.4f}" for share in shares]
        title = f"{rank_of(row)}: {ellipsize_middle(row.label, _LONGEST_LABEL)}"
        columns.append(Column(title, texts, shares, "metric"))
    return columns


def _answers(runs: Sequence[Run], reader: Reader) -> list[Answers]:
    return [answers for run in runs if (answers := reader.answers(run, "val")) is not None]


def _over_slices(
    runs: Sequence[Answers], names: Sequence[str], counts: bool = False
) -> list[float | None]:
    """By slice: the mean over runs of the accuracy on it, or of how many reviews it has."""
    return [_over_runs([_part(answers, name) for answers in runs], counts) for name in names]


def _over_runs(parts: Sequence[np.ndarray], counts: bool) -> float | None:
    if counts:
        return float(np.mean([len(part) for part in parts]))
    shares = [float(part.mean()) for part in parts if len(part)]
    return float(np.mean(shares)) if shares else None


def _part(answers: Answers, name: str) -> np.ndarray:
    """Whether the answers to the reviews of a slice are right."""
    if name == _ALL:
        return answers.is_right
    if name not in answers.slice_names:
        return answers.is_right[:0]
    return answers.is_right[members(answers.slices, answers.slice_names.index(name))]
