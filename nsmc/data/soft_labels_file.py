"""Files of soft labels: what a linear classifier, or any other program, says of reviews.

They are tab separated, with the column `id` and one of probabilities for each label, under the
label's name; for two labels also with the column `probability`, of the second.

Legend: N reviews, C labels.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nsmc.atomic import write_file
from nsmc.data.corpus import Reviews
from nsmc.reading.file_format import FileFormat
from nsmc.reading.labels import label_text, listed
from nsmc.reading.opening import opened
from nsmc.reading.tables import Record, read_table

FloatArray = npt.NDArray[np.floating]

SOFT_LABELS_FILE = "soft_labels.tsv"  # in the folder of a run that leaves some

_OF_THE_SECOND = "probability"  # the column of a file about two labels


def write_soft_labels(
    path: Path, ids: Sequence[str], names: tuple[str, ...], probabilities: FloatArray
) -> None:
    """Write a file of soft labels [N, C], whole or not at all; raises as `check_writable`."""
    check_writable(ids, names)
    columns, values = [*names], probabilities
    if len(names) == 2:
        columns, values = [_OF_THE_SECOND], probabilities[:, 1:]
    lines = [
        "\t".join([review_id, *(f"{value:.6f}" for value in row)])
        for review_id, row in zip(ids, values, strict=True)
    ]
    write_file(path, "\n".join(["\t".join(["id", *columns]), *lines]) + "\n")


def check_writable(ids: Iterable[str], names: tuple[str, ...]) -> None:
    """Raises ValueError for ids, or names of labels, that would not be read as they are written."""
    for name in names if len(names) != 2 else ():
        if name == "id" or name != name.strip() or _has_a_break(name):
            raise ValueError(
                f"the label {name!r} cannot be the name of a column in {SOFT_LABELS_FILE}: give it "
                "another one with data.label_map"
            )
    for review_id in filter(_has_a_break, ids):
        raise ValueError(
            f"the id {review_id[:40]!r} has a tab or a line end in it, which {SOFT_LABELS_FILE} "
            "cannot hold: name another column with data.id_column"
        )


def check_ids(ids: Sequence[str], texts: Sequence[str]) -> None:
    """Raises ValueError for an id that reviews with different texts have."""
    text_of = dict[str, str]()
    for review_id, text in zip(ids, texts, strict=True):
        if text_of.setdefault(review_id, text) != text:
            raise ValueError(
                f"the id {review_id[:40]!r} is that of different reviews, and {SOFT_LABELS_FILE} "
                "has one answer for each id: give each review an id of its own, or name another "
                "column with data.id_column"
            )


def _has_a_break(text: str) -> bool:
    return any(sign in text for sign in "\t\n\r")


def probabilities_in(path: Path, reviews: Reviews, names: tuple[str, ...]) -> FloatArray:
    """What a file says of the labels of reviews [N, C].

    Raises ValueError for one that is damaged, has other labels or leaves out a review, and for
    different reviews of one id.
    """
    check_ids(reviews.ids, reviews.texts)
    rows = _read(path, names)
    try:
        return np.array([rows[review_id] for review_id in reviews.ids], np.float32)
    except KeyError as error:
        raise ValueError(f"{path}: no probability for the review with id {error}") from None


def _read(path: Path, names: tuple[str, ...]) -> dict[str, list[float]]:
    """Probabilities of the labels by id."""
    found: dict[str, list[float]] = {}
    with opened_soft_labels(path, names) as (records, columns):
        is_of_two = columns == [_OF_THE_SECOND]
        for line, values, error in records:
            if error:
                raise ValueError(f"{path}, line {line}: {error}")
            row = [_probability(values[column], f"{path}, line {line}") for column in columns]
            row = [1 - row[0], row[0]] if is_of_two else row
            if found.setdefault(values["id"], row) != row:
                raise ValueError(
                    f"{path}, line {line}: the id {values['id']} had another probability before; "
                    "each review needs an id of its own"
                )
    return found


@contextmanager
def opened_soft_labels(
    path: Path, names: tuple[str, ...]
) -> Iterator[tuple[Iterator[Record], list[str]]]:
    """The records of a file, and the columns that have the probabilities of these labels.

    Raises ValueError where one of them, or that of the ids, is not there.
    """
    with opened(str(path)) as stream:
        table = read_table(stream, str(path), FileFormat(format="tsv", quoting="none"))
        is_of_two = len(names) == 2 and _OF_THE_SECOND in table.columns
        wanted = [_OF_THE_SECOND] if is_of_two else [*names]
        # A name may be written as the labels in a corpus's files may: True, 0.50.
        columns = {label_text(column): column for column in map(str, table.columns)}
        columns |= {column: column for column in map(str, table.columns)}
        found = [columns.get(name, columns.get(label_text(name))) for name in wanted]
        for name, column in zip(("id", *wanted), (columns.get("id"), *found), strict=True):
            if column is None:
                raise ValueError(
                    f"{path}, line 1: no column {name!r}; expected id and {listed(wanted)}"
                )
        yield table.records, [column for column in found if column is not None]


def _probability(text: str, place: str) -> float:
    try:
        probability = float(text)
    except ValueError:
        probability = -1.0
    if not 0 <= probability <= 1:
        raise ValueError(f"{place}: probability {text!r} is not between 0 and 1")
    return probability
