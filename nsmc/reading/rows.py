"""The rows of a file in any format, one at a time.

A damaged row is no end: it comes with what is wrong with it.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, BinaryIO, NamedTuple, cast

from nsmc.reading.delimiters import likely_delimiters
from nsmc.reading.file_format import DELIMITERS, Column, FileFormat
from nsmc.reading.headers import has_header, sampled_fields
from nsmc.reading.labels import label_text
from nsmc.reading.lines import read_lines
from nsmc.reading.objects import read_json_array, read_json_lines
from nsmc.reading.opening import first_bytes, is_pipe, name_of, opened, position
from nsmc.reading.parquet import read_parquet
from nsmc.reading.tables import Record, Table, other_delimiter, read_table

_IN_MEMORY = 1 << 20  # bytes of a copy; a larger one is on disk

NO_TEXT = "no text"  # the error of a row that is sound but empty
NO_LABEL, NO_GROUP = "no label", "no group"


class Row(NamedTuple):
    """One row of a file, which begins at `line`, from 1; in Parquet and JSON arrays its number.

    `label`, `group` and `id` are None where no such column is read. `others` has the values of the
    other columns, where these are wanted. With an `error` there is no text, and the rest only where
    it could be read.
    """

    line: int
    text: str = ""
    label: str | None = None
    id: str | None = None
    group: str | None = None
    others: Mapping[str, Any] = {}
    error: str = ""


@dataclass
class Rows:
    """The rows of a file, once.

    `format` is what the file turned out to have. `others` are the columns that are in a row's
    `others`: of JSON, those of the first object. `columns` are the others, by what they are to us:
    text, label, id, group. `position` says how many bytes of the file were
    read. `doubt` is what the user should know of how the file is read.
    """

    format: str
    rows: Iterator[Row]
    others: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    position: Callable[[], int] = lambda: 0
    doubt: str = ""

    @property
    def unit(self) -> str:
        """What is counted: lines, or, where a file has none, rows."""
        return "row" if self.format in ("parquet", "json") else "line"

    def __iter__(self) -> Iterator[Row]:
        return self.rows

    def with_all_columns(self) -> Iterator[Row]:
        """The rows, in whose `others` every column is, by its name.

        So are text, label, id and group, whatever their columns are called.
        """
        for row in self.rows:
            ours = {kind: getattr(row, kind) for kind in self.columns}
            named = {self.columns[kind]: value for kind, value in ours.items()}
            yield row._replace(others={**ours, **named, **row.others})


@contextmanager
def open_rows(path: str, file_format: FileFormat, *, others: bool = False) -> Iterator[Rows]:
    """The rows of a file, or of standard input for `-`; with `others`, of all its columns.

    Raises FileNotFoundError or IsADirectoryError without it, ValueError for an extension that is
    not known, and what `read_rows` raises.
    """
    with _opened(path, file_format) as (stream, known_format, doubt):
        rows = read_rows(stream, name_of(path), known_format, others=others)
        yield replace(rows, position=partial(position, stream), doubt=doubt)


@contextmanager
def open_table(path: str, file_format: FileFormat) -> Iterator[tuple[str, Table | None]]:
    """The format of a file, and its columns and records, which text does not have.

    Raises what `open_rows` raises, but for a missing column.
    """
    with _opened(path, file_format) as (stream, known_format, _):
        form = known_format.format or "text"
        yield form, _table(stream, name_of(path), known_format) if form != "text" else None


@contextmanager
def _opened(path: str, file_format: FileFormat) -> Iterator[tuple[BinaryIO, FileFormat, str]]:
    with opened(path) as stream, tempfile.SpooledTemporaryFile(_IN_MEMORY) as copy:
        start = first_bytes(stream)
        form = file_format.of(path, start)
        known_format = replace(file_format, format=form)
        doubt = ""
        if form in DELIMITERS and not known_format.header:
            _refuse_other_delimiter(start, name_of(path), known_format)
            doubt = _doubted_header(start, name_of(path), known_format)
        if form == "parquet" and not stream.seekable():  # a pipe, or what gzip packed
            shutil.copyfileobj(stream, copy)
            copy.seek(0)
            stream = cast(BinaryIO, copy)
        yield stream, known_format, doubt


def format_of(path: str, file_format: FileFormat) -> str:
    """The format of a file; raises what opening it raises, and `FileFormat.of`."""
    if file_format.format or is_pipe(path):  # which can be read only once
        return file_format.of(path, b"")
    with opened(path) as stream:
        return file_format.of(path, first_bytes(stream))


def _refuse_other_delimiter(start: bytes, name: str, file_format: FileFormat) -> None:
    """Raises ValueError where another delimiter than the file is read with cuts it into columns.

    Of a file with a header, no such column is found; without one, rows would be read as reviews.
    """
    if file_format.has_given_delimiter:
        return
    delimiters = likely_delimiters(start, file_format)
    if delimiters.is_wrong:
        raise ValueError(
            f"{name}: {other_delimiter(delimiters.best, delimiters.own, file_format)}; else say "
            f"{file_format.option('delimiter', delimiters.own)}"
        )


def _doubted_header(start: bytes, name: str, file_format: FileFormat) -> str:
    """What to say of a first row that may be a header where only a bundle's corpus had none.

    Raises ValueError where it surely is one.
    """
    if "header" not in file_format.inherited:
        return ""
    header = has_header(sampled_fields(start, file_format))
    if not header.is_there:
        return ""
    corpus = f"the corpus of {file_format.like_corpus_of}"
    with_header = f"{file_format.option('header', True)} and "
    with_header += file_format.option("text_column", "NAME")
    without = file_format.option("header", False)
    if header.is_sure:
        raise ValueError(
            f"{name}: its first line looks like a header, and {corpus} has none; say "
            f"{with_header}, or {without}"
        )
    return (
        f"{name}: its first line is read as a review, as {corpus} has no header; if it is one, say "
        f"{with_header}, else {without}"
    )


def read_rows(
    stream: BinaryIO, name: str, file_format: FileFormat, *, others: bool = False
) -> Rows:
    """The rows of a stream whose format is given; `name` is what the user calls it.

    Raises ValueError for a column that is not there, and, here or while the rows are read, for what
    is not of the format.
    """
    form = file_format.format or "text"
    if form == "text":
        lines = read_lines(stream, name, file_format)
        return Rows(form, (_checked(Row(line, text, error=error)) for line, text, error in lines))
    table = _table(stream, name, file_format)
    columns = _columns(table, file_format, name)
    rest = [column for column in table.columns if column not in columns.values()] if others else []
    rows = (_row(record, columns, others) for record in table.records)
    named = {kind: _called(column) for kind, column in columns.items()}
    return Rows(form, rows, tuple(map(_called, rest)), named)


def _table(stream: BinaryIO, name: str, file_format: FileFormat) -> Table:
    form = file_format.format
    if form in ("json", "jsonl"):
        read = read_json_array if form == "json" else read_json_lines
        return read(stream, name, file_format)
    if form == "parquet":
        return read_parquet(stream, name)
    return read_table(stream, name, file_format)


def _columns(table: Table, file_format: FileFormat, name: str) -> dict[str, Column]:
    """The columns that are read, by what they are to us: text, label, id, group."""
    columns: dict[str, Column | None] = {
        "text": file_format.text_column,
        "label": file_format.label_column,
        "id": file_format.id_column,
        "group": file_format.group_column,
    }
    if table.fixed:
        for kind, column in columns.items():
            if column is not None and column not in table.columns:
                there = ", ".join(map(str, table.columns))
                way_out = file_format.option(f"{kind}_column", "NAME")
                if file_format.header and file_format.format in DELIMITERS:
                    without = file_format.without_header
                    without = without or f"its position, with {file_format.option('header', False)}"
                    way_out += f", or, without a header, {without}"
                raise ValueError(
                    f"{name}: no column {column!r} in {there[:80]!r}"
                    f"{table.hint or f'; name the right one with {way_out}'}"
                )
    if file_format.id_column is None and "id" in table.columns:
        columns["id"] = "id"
    return {kind: column for kind, column in columns.items() if column is not None}


def _row(record: Record, columns: dict[str, Column], with_others: bool) -> Row:
    line, values, error = record
    if error:
        return Row(line, error=error)
    found = {kind: values.get(column) for kind, column in columns.items()}
    text, name = found["text"], found.get("id")
    label, group = (label_text(found.get(kind)) for kind in ("label", "group"))
    if not isinstance(text, str):
        error = f"{columns['text']!r} is not a text" if label_text(text) != "" else NO_TEXT
        error, text = (error if columns["text"] in values else f"no {columns['text']!r}"), ""
    elif "label" in columns and not label:
        error, text = NO_LABEL if label == "" else f"{columns['label']!r} is not a label", ""
    elif "group" in columns and not group:
        error, text = NO_GROUP if group == "" else f"{columns['group']!r} is not a group", ""
    others = {}
    if with_others:
        used = columns.values()
        others = {_called(column): value for column, value in values.items() if column not in used}
    if not isinstance(name, str):
        plain = label_text(name)
        name = str(name) if plain is None else plain
    return _checked(Row(line, text, label or None, name or None, group or None, others, error))


def _called(column: Column) -> str:
    return column if isinstance(column, str) else f"column {column}"


def _checked(row: Row) -> Row:
    if not row.error and not row.text.strip():
        return row._replace(text="", error=NO_TEXT)
    return row
