"""Guesses what a file's settings are: its encoding, whether it has a header, and its columns."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from statistics import mean
from typing import Any

from nsmc.reading.encodings import is_korean_cp949, wide_encoding
from nsmc.reading.file_format import Column, FileFormat
from nsmc.reading.labels import is_number, label_text
from nsmc.reading.opening import opened
from nsmc.reading.rows import open_table

_BYTES = 1 << 20  # that are looked at
_ROWS = 1_000
_LABEL_COUNT = (20, 100)  # in few and in many rows, of what is a label without a telling name

_TEXTS = {"text", "document", "review", "reviews", "comment", "content", "sentence", "title"}
_TEXTS |= {"리뷰", "후기", "내용", "본문", "댓글", "문장", "텍스트"}
_LABELS = {"label", "labels", "rating", "ratings", "star", "stars", "score", "sentiment", "class"}
_LABELS |= {"category", "target", "y", "평점", "별점", "점수", "라벨", "레이블", "감정", "분류"}


@dataclass(frozen=True)
class ColumnSample:
    """A column, and its values in the first rows, as text; those that are missing are left out."""

    name: Column
    values: list[str]

    @property
    def distinct(self) -> int:
        return len(set(self.values))

    @property
    def length(self) -> float:
        """Characters of a value that is no number, on average."""
        return mean(0 if is_number(value) else len(value) for value in self.values or [""])


def guessed_encoding(path: str) -> str:
    """UTF-8, unless the file begins like cp949 or an encoding of two or four bytes."""
    with opened(path) as stream:
        start = stream.read(_BYTES)
    if encoding := wide_encoding(start):
        return encoding
    wrong = [line for line in start.split(b"\n")[:-1] or [start] if not _is_utf8(line)]
    return "cp949" if is_korean_cp949(b"\n".join(wrong)) else "utf-8"


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def sampled_columns(path: str, file_format: FileFormat) -> tuple[str, list[ColumnSample]]:
    """The format of a file and its columns; text has none. Raises what `open_table` raises."""
    with open_table(path, file_format) as (form, table):
        if table is None:
            return form, []
        records = [record.values for record in islice(table.records, _ROWS) if not record.error]
    return form, [
        ColumnSample(
            column,
            [text for record in records if (text := label_text(record.get(column)))],
        )
        for column in table.columns
    ]


def lacks_header(form: str, columns: Sequence[ColumnSample]) -> bool:
    """Whether what should be the header looks like a review: a number among its names."""
    return form in ("tsv", "csv") and any(is_number(str(column.name)) for column in columns)


def guessed_columns(columns: Sequence[ColumnSample]) -> dict[str, Any]:
    """The text column, and the label column where one looks like it."""
    texts = [column for column in columns if str(column.name).lower() not in _LABELS]
    text = _best(texts, _TEXTS, lambda column: column.length)
    others = [column for column in columns if column is not text]
    labels = [column for column in others if _is_label(column)]
    label = _best(labels, _LABELS, lambda column: -column.distinct)
    return {
        "text_column": text.name if text else None,
        "label_column": label.name if label else None,
    }


def _is_label(column: ColumnSample) -> bool:
    few, many = _LABEL_COUNT
    most = min(many, max(few, len(column.values) // 2))
    return 2 <= column.distinct <= most or str(column.name).lower() in _LABELS


def _best(
    columns: Sequence[ColumnSample], names: set[str], worth: Callable[[ColumnSample], float]
) -> ColumnSample | None:
    """One with a telling name, else the most worthy."""
    told = [column for column in columns if str(column.name).lower() in names]
    return max(told or columns, key=worth, default=None)
