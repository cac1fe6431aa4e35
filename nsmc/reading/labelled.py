"""Rows with the labels that they mean, for training, for evaluation and for looking at a file."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from nsmc.reading.labels import UnknownLabelError
from nsmc.reading.rows import Row


class Labelled(NamedTuple):
    """A row and its label, which is "" where no labels are read.

    The label is None where the row has an error, where its value is `unknown`, which says why, and
    else where reviews of that value are to be left out.
    """

    row: Row
    label: str | None
    unknown: str = ""


def labelled(rows: Iterable[Row], label_of: Callable[[str], str | None]) -> Iterator[Labelled]:
    """The rows with their labels; `label_of`, such as that of `LabelRules`, is asked once a value.

    Raises what `label_of` raises, but for UnknownLabelError.
    """
    meanings: dict[str | None, tuple[str | None, str]] = {None: ("", "")}
    for row in rows:
        if row.error:
            yield Labelled(row, None)
            continue
        value = row.label
        if value is not None and value not in meanings:
            try:
                meanings[value] = label_of(value), ""
            except UnknownLabelError as problem:
                meanings[value] = None, str(problem)
        yield Labelled(row, *meanings[value])
