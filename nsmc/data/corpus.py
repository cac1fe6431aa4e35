"""Reads a file of reviews in NSMC's format and splits off the validation part.

The format: tab separated, UTF-8, a header with the columns `id`, `document` and `label`, one review
per line. Any line end and a byte order mark are accepted. It does not tokenize and keeps no state.
"""

import csv
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

COLUMNS = ("id", "document", "label")

# A CSV-quoted field: wrapped in double quotes, every double quote inside doubled.
_QUOTED = re.compile(r'"(?:[^"]|"")*"')

# Fields with a double quote were CSV-quoted twice when the NSMC files were made.
_QUOTING_LAYERS = 2


@dataclass(frozen=True)
class Reviews:
    """Reviews in file order: `texts` and `labels` [N] (0 negative, 1 positive).

    `dropped` counts the rows that were left out because they have no text.
    """

    texts: list[str]
    labels: npt.NDArray[np.int8]
    dropped: int = 0

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: npt.NDArray[np.int64]) -> "Reviews":
        return Reviews([self.texts[row] for row in rows], self.labels[rows])


def read_reviews(path: Path) -> Reviews:
    """Read one corpus file.

    Raises FileNotFoundError for a missing file, and ValueError naming the file and the row (the
    header is row 1) for a missing column, a row with too few or too many fields, a label other
    than 0 or 1, or bytes that are not UTF-8.
    """
    table = _without_blank_lines(_read_table(path))
    _check_labels(path, table)
    texts = [_unquote(text) for text in table["document"].tolist()]
    labels = np.asarray(table["label"] == "1", dtype=np.int8)
    with_text = np.flatnonzero([bool(text.strip()) for text in texts])
    if not len(with_text):
        raise ValueError(f"{path}: no row has a text")
    return Reviews(
        [texts[row] for row in with_text], labels[with_text], dropped=len(texts) - len(with_text)
    )


def _read_table(path: Path) -> pd.DataFrame:
    """The file's columns as strings, quotes untouched; a field that is not there is empty."""
    # QUOTE_NONE: a lone double quote in a review must not swallow the rows that follow it.
    options: dict[str, Any] = {
        "sep": "\t",
        "encoding": "utf-8-sig",
        "quoting": csv.QUOTE_NONE,
        "dtype": str,
        "na_filter": False,  # NA, nan and null are words a review may consist of
        "skip_blank_lines": False,  # or the row numbers in messages would be wrong
    }
    try:
        header = list(pd.read_csv(path, nrows=0, **options).columns)
        missing = [name for name in COLUMNS if name not in header]
        if missing:
            raise ValueError(
                f"{path}, row 1: no column {missing[0]!r} in {str(header)[:80]}; "
                f"expected a tab-separated file with the columns {', '.join(COLUMNS)}"
            )
        return pd.read_csv(path, **options)[list(COLUMNS)]
    except UnicodeDecodeError as error:
        row = _undecodable_row(path)
        raise ValueError(f"{path}, row {row}: not UTF-8 ({error.reason})") from None
    except pd.errors.EmptyDataError:
        raise ValueError(f"{path}, row 1: the file is empty; expected a header") from None
    except pd.errors.ParserError as error:
        details = " ".join(str(error).split())
        line = re.search(r"line (\d+)", details)
        place = f"{path}, row {line[1]}" if line else str(path)
        raise ValueError(f"{place}: the fields do not match the header ({details})") from None


def _without_blank_lines(table: pd.DataFrame) -> pd.DataFrame:
    return table[(table["id"] != "") | (table["document"] != "") | (table["label"] != "")]


def _check_labels(path: Path, table: pd.DataFrame) -> None:
    wrong = ~table["label"].isin(["0", "1"])
    if wrong.any():
        index = table.index[wrong][0]
        row = int(index) + 2  # 1 for the header, 1 because people count from 1
        label = table.at[index, "label"]
        problem = f"label {label!r} is not 0 or 1" if label else "no label (is the file truncated?)"
        raise ValueError(f"{path}, row {row}: {problem}")


def _undecodable_row(path: Path) -> int:
    with path.open("rb") as file:
        for row, line in enumerate(re.split(rb"\r\n|\n|\r", file.read()), start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                return row
    raise AssertionError(f"{path} decodes after all")


def _unquote(text: str) -> str:
    for _ in range(_QUOTING_LAYERS):
        if text[:1] != '"' or not _QUOTED.fullmatch(text):
            return text
        text = text[1:-1].replace('""', '"')
    return text


def split_validation(reviews: Reviews, fraction: float, seed: int) -> tuple[Reviews, Reviews]:
    """Split into training and validation reviews, stratified by label and seeded.

    Identical texts (white space around them aside) stay together, so no validation text is also a
    training text. Both parts are in file order. Raises ValueError where a part would be empty.
    """
    texts = pd.Series([text.strip() for text in reviews.texts], dtype=object)
    group_of_row, _ = pd.factorize(texts)
    group_sizes = np.bincount(group_of_row)
    group_labels = np.bincount(group_of_row, weights=reviews.labels) / group_sizes
    # Strata: texts that are always negative, texts seen with both labels, texts always positive.
    strata = np.where(group_labels == 0, 0, np.where(group_labels == 1, 2, 1))
    generator = np.random.default_rng(seed)
    in_validation = np.zeros(len(group_sizes), dtype=bool)
    for stratum in range(3):
        groups = generator.permutation(np.flatnonzero(strata == stratum))
        rows_so_far = np.cumsum(group_sizes[groups])
        wanted = round(fraction * rows_so_far[-1]) if len(groups) else 0
        in_validation[groups[rows_so_far <= wanted]] = True
    is_validation = in_validation[group_of_row]
    training_rows, validation_rows = np.flatnonzero(~is_validation), np.flatnonzero(is_validation)
    if not len(validation_rows) or not len(training_rows):
        raise ValueError(
            f"data.validation_fraction={fraction} of {len(reviews)} reviews leaves "
            f"{len(training_rows)} for training and {len(validation_rows)} for validation"
        )
    return reviews.take(training_rows), reviews.take(validation_rows)
