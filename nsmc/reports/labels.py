"""Describes settings in words: `gru, hidden_size=128`.

Where much was varied, a description leaves out what is as usual.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from nsmc.reports.settings import ARCHITECTURE_COLUMN, CORPUS, MISSING
from nsmc.reports.values import Value, format_value

FEW = 6  # columns of settings that a reader takes in

_TELLING = (CORPUS, ARCHITECTURE_COLUMN)  # columns whose values need no name


class Label(NamedTuple):
    whole: str
    differs: str  # without corpus and architecture
    unusual: str  # of that, the columns that are summarized


def label_settings(
    settings: Sequence[tuple[Value, ...]], columns: Sequence[str]
) -> tuple[list[Label], set[str]]:
    """A label for each setting, and the columns that need none of their own in a table.

    These are, of many columns, those in which most settings have the same value.
    """
    usual, summarized = {}, set()
    if len(columns) > FEW:
        for column, values in zip(columns, zip(*settings, strict=True), strict=True):
            if column not in _TELLING:
                usual[column], count = Counter(values).most_common(1)[0]
                summarized |= {column} if 2 * count > len(settings) else set()
    labels = []
    for values in settings:
        cells = zip(columns, values, strict=True)
        named = {column: v for column, v in cells if v != usual.get(column, MISSING)}
        differs = {column: v for column, v in named.items() if column not in _TELLING}
        unusual = {column: v for column, v in differs.items() if column in summarized}
        labels.append(Label(_describe(named), _describe(differs), _describe(unusual)))
    return labels, summarized


def _describe(cells: dict[str, Value]) -> str:
    return ", ".join(
        ("" if column in _TELLING else f"{column}=") + format_value(value)
        for column, value in cells.items()
    )
