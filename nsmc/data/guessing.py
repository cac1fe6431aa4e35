"""Guesses what a file's settings are: its encoding, whether it has a header, and its columns."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from statistics import mean
from typing import Any

from nsmc.reading.delimiters import likely_delimiters
from nsmc.reading.encodings import is_korean_cp949, wide_encoding
from nsmc.reading.file_format import DELIMITERS, Column, FileFormat
from nsmc.reading.headers import LABELS, TEXTS, Header, has_header, sampled_fields
from nsmc.reading.labels import is_number, label_text
from nsmc.reading.opening import first_bytes, opened
from nsmc.reading.rows import format_of, open_table

_BYTES = 1 << 20  # that are looked at
_ROWS = 1_000
_GIVEN = ("format", "encoding", "delimiter", "quoting")  # what the other guesses follow from
_USUAL = FileFormat()
_LABEL_COUNT = (20, 100)  # in few and in many rows, of what is a label without a telling name


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


@dataclass(frozen=True)
class Guess:
    """Settings as far as they are not the usual ones, and the names of the columns.

    `unsure` has what is assumed where it cannot be told: whether there is a header, and a list of
    the delimiters that fit, the assumed one first.
    """

    settings: dict[str, Any] = field(default_factory=dict)
    unsure: dict[str, Any] = field(default_factory=dict)
    columns: list[str] = field(default_factory=list)


def guess(path: str, given: Mapping[str, Any]) -> Guess:
    """What is not among the keys of `data` that are `given`; raises what `open_table` raises."""
    chosen = {key: given[key] for key in _GIVEN if given.get(key) is not None}
    form = FileFormat("text", None, **{"encoding": guessed_encoding(path), **chosen})
    known_form = replace(form, format=format_of(path, form))
    form, unsure = guessed_table(path, known_form, given)
    columns = sampled_columns(path, form)
    if not columns and form.format != "text":
        raise ValueError(f"{path}: no rows")
    settings = {key: getattr(form, key) for key in ("encoding", "delimiter", "header")}
    settings = {key: value for key, value in settings.items() if value != getattr(_USUAL, key)}
    if form.format != known_form.format:
        settings["format"] = form.format
    if form.format == "text":
        settings["label_column"] = None
    else:
        taken = {str(value) for key, value in given.items() if key.endswith("_column")}
        settings |= guessed_columns([each for each in columns if str(each.name) not in taken])
    return Guess(
        {key: value for key, value in settings.items() if key not in given},
        unsure,
        [str(column.name) for column in columns],
    )


def guessed_table(
    path: str, form: FileFormat, given: Mapping[str, Any]
) -> tuple[FileFormat, dict[str, Any]]:
    """The form with the header and the delimiter that the file has, and what is not sure of it."""
    if form.format not in DELIMITERS:
        return form, {}
    with opened(path) as stream:
        start = first_bytes(stream)
    unsure: dict[str, Any] = {}
    if form.delimiter is None:
        delimiters = likely_delimiters(start, form)
        if delimiters.best != form.field_delimiter:
            form = _with_delimiter(form, delimiters.best, given)
        if delimiters.others:
            unsure["delimiter"] = [delimiters.best, *delimiters.others]
    header = has_header(sampled_fields(start, form))
    if "header" in given:
        header = Header(given["header"] is not False, is_sure=True)
    if not header.is_sure:
        unsure["header"] = header.is_there
    text_column: Column = "text" if header.is_there else 1
    form = replace(form, text_column=text_column, label_column=None, header=header.is_there)
    return form, unsure


def _with_delimiter(form: FileFormat, delimiter: str, given: Mapping[str, Any]) -> FileFormat:
    key, value = form.delimiter_setting(delimiter)
    changes: dict[str, Any] = {"delimiter": delimiter} if key in given else {key: value}
    return replace(form, **changes)


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


def sampled_columns(path: str, file_format: FileFormat) -> list[ColumnSample]:
    """The columns of a file; text has none. Raises what `open_table` raises."""
    with open_table(path, file_format) as (_, table):
        if table is None:
            return []
        records = [record.values for record in islice(table.records, _ROWS) if not record.error]
    return [
        ColumnSample(
            column,
            [text for record in records if (text := label_text(record.get(column)))],
        )
        for column in table.columns
    ]


def guessed_columns(columns: Sequence[ColumnSample]) -> dict[str, Any]:
    """The text column, and the label column where one looks like it."""
    texts = [column for column in columns if str(column.name).lower() not in LABELS]
    text = _best(texts, TEXTS, lambda column: column.length)
    others = [column for column in columns if column is not text]
    labels = [column for column in others if _is_label(column)]
    label = _best(labels, LABELS, lambda column: -column.distinct)
    found = {"text_column": text, "label_column": label}
    return {key: column and str(column.name) for key, column in found.items()}


def _is_label(column: ColumnSample) -> bool:
    few, many = _LABEL_COUNT
    most = min(many, max(few, len(column.values) // 2))
    return 2 <= column.distinct <= most or str(column.name).lower() in LABELS


def _best(
    columns: Sequence[ColumnSample], names: set[str], worth: Callable[[ColumnSample], float]
) -> ColumnSample | None:
    """One with a telling name, else the most worthy."""
    told = [column for column in columns if str(column.name).lower() in names]
    return max(told or columns, key=worth, default=None)
