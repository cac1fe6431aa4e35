"""Reads a file of reviews in NSMC's format and splits off the validation part.

The format: tab separated, UTF-8, a header with the columns `id`, `document` and `label`, one review
per line. Any line end and a byte order mark are accepted. It does not tokenize and keeps no state.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

COLUMNS = ("id", "document", "label")

# A CSV-quoted field: wrapped in double quotes, every double quote inside doubled.
_QUOTED = re.compile(r'"(?:[^"]|"")*"')

_ESCAPED_BYTE = re.compile("[\ud800-\udfff]")  # what `surrogateescape` makes of one


@dataclass(frozen=True)
class Reviews:
    """Reviews in file order: `texts`, `labels` [N] (0 negative, 1 positive) and `ids`.

    Unlabelled reviews have the label 0. `dropped` counts the rows that were left out because they
    have no text.
    """

    texts: list[str]
    labels: npt.NDArray[np.int8]
    dropped: int = 0
    ids: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: npt.NDArray[np.int64]) -> "Reviews":
        ids = [self.ids[row] for row in rows] if self.ids else []
        return Reviews([self.texts[row] for row in rows], self.labels[rows], ids=ids)


def read_reviews(path: Path, *, labelled: bool = True, keep_ids: bool = True) -> Reviews:
    """Read one corpus file; where it is not `labelled`, it needs no column `label`.

    Without `keep_ids` the reviews have none, which saves memory: the ids of a million take 60 MB.
    Raises FileNotFoundError for a missing file, and ValueError naming the file and the row (the
    header is row 1) for a missing column, a row with too few or too many fields, a label other
    than 0 or 1, or bytes that are not UTF-8.
    """
    # Fields with a double quote were CSV-quoted twice when the NSMC files were made; the rest of
    # the crawl, which has no labels, was quoted once.
    columns, quoting_layers = (COLUMNS, 2) if labelled else (COLUMNS[:2], 1)
    texts, labels, ids, dropped = [], [], [], 0
    for review_id, document, label in _rows(path, columns):
        text = _unquote(document, quoting_layers)
        if text.strip():
            texts.append(text)
            labels.append(label == "1")
            if keep_ids:
                ids.append(review_id)
        else:
            dropped += 1
    if not texts:
        raise ValueError(f"{path}: no row has a text")
    return Reviews(texts, np.array(labels, dtype=np.int8), dropped, ids)


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[str, str, str]]:
    """Yield the id, the document, its quotes untouched, and the label of rows that are not blank.

    Without the column `label` every label is 0.
    """
    # Not the csv module: a lone double quote in a review must not swallow the rows that follow it.
    lines = read_lines(path)
    header = next(lines, "").split("\t")
    if not any(header):
        raise ValueError(f"{path}, row 1: the file is empty; expected a header")
    missing = [name for name in columns if name not in header]
    if missing:
        raise ValueError(
            f"{path}, row 1: no column {missing[0]!r} in {str(header)[:80]}; "
            f"expected a tab-separated file with the columns {', '.join(columns)}"
        )
    review_id, document, *label = map(header.index, columns)
    for row, line in enumerate(lines, start=2):
        fields = line.split("\t")
        if not any(fields):
            continue
        if len(fields) != len(header):
            hint = " (is the file truncated?)" if len(fields) < len(header) else ""
            raise ValueError(
                f"{path}, row {row}: {len(fields)} fields where the header has {len(header)}{hint}"
            )
        value = fields[label[0]] if label else "0"
        if value not in ("0", "1"):
            problem = f"label {value!r} is not 0 or 1" if value else "no label"
            raise ValueError(f"{path}, row {row}: {problem}")
        yield fields[review_id], fields[document], value


def read_lines(path: Path) -> Iterator[str]:
    """The lines one at a time, without their ends: a corpus may have gigabytes.

    Raises ValueError naming the row that is not UTF-8.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            for line in file:
                yield line.removesuffix("\n")
    except UnicodeDecodeError as error:
        with path.open(encoding="utf-8", errors="surrogateescape") as file:
            row = next(row for row, line in enumerate(file, 1) if _ESCAPED_BYTE.search(line))
        raise ValueError(f"{path}, row {row}: not UTF-8 ({error.reason})") from None


def without_spaces(text: str) -> str:
    """The text as it is compared where white space makes no difference."""
    return "".join(text.split())


def _unquote(text: str, layers: int) -> str:
    for _ in range(layers):
        if text[:1] != '"' or not _QUOTED.fullmatch(text):
            return text
        text = text[1:-1].replace('""', '"')
    return text


def split_validation(reviews: Reviews, fraction: float, seed: int) -> tuple[Reviews, Reviews]:
    """Split into training and validation reviews, stratified by label and seeded.

    Identical texts (white space around them aside) stay together, so no validation text is also a
    training text. Both parts are in file order. Raises ValueError where a part would be empty.
    """
    # Not pandas' factorize, which leaves a second copy of every text in memory.
    groups: dict[str, int] = {}
    numbered = (groups.setdefault(text.strip(), len(groups)) for text in reviews.texts)
    group_of_row = np.fromiter(numbered, np.int64, len(reviews))
    group_sizes = np.bincount(group_of_row)
    group_labels = np.bincount(group_of_row, weights=reviews.labels) / group_sizes
    # Strata: texts that are always negative, texts seen with both labels, texts always positive.
    strata = np.where(group_labels == 0, 0, np.where(group_labels == 1, 2, 1))
    generator = np.random.default_rng(seed)
    in_validation = np.zeros(len(group_sizes), dtype=bool)
    for stratum in range(3):
        members = generator.permutation(np.flatnonzero(strata == stratum))
        room = round(fraction * int(group_sizes[members].sum()))
        for group in members:  # a text that comes too often to fit is left for training
            if group_sizes[group] <= room:
                in_validation[group] = True
                room -= group_sizes[group]
    is_validation = in_validation[group_of_row]
    training_rows, validation_rows = np.flatnonzero(~is_validation), np.flatnonzero(is_validation)
    if not len(validation_rows) or not len(training_rows):
        raise ValueError(
            f"data.validation_fraction={fraction} of {len(reviews)} reviews leaves "
            f"{len(training_rows)} for training and {len(validation_rows)} for validation"
        )
    return reviews.take(training_rows), reviews.take(validation_rows)
