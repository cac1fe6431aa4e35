"""TSV and CSV as records: a value for each column of each row."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, BinaryIO, NamedTuple

from nsmc.reading.csv_records import Fields, read_fields, wrong_width
from nsmc.reading.file_format import Column, FileFormat
from nsmc.reading.lines import Line, read_lines

# A CSV-quoted field: wrapped in double quotes, every double quote inside doubled.
_QUOTED = re.compile(r'"(?:[^"]|"")*"')

_DECLARATION = re.compile(r'"?sep=([^"])"?', re.IGNORECASE)  # Excel's, before the header

_LAYERS = {"csv": 0, "field": 1, "nsmc": 2, "none": 0}  # of quotes that a field loses here


class Record(NamedTuple):
    """The values of a row that begins at `line`. With an `error` they may be anything."""

    line: int
    values: Mapping[Column, Any]
    error: str = ""


@dataclass
class Table:
    """Records, once, and their columns; where these are not `fixed`, those of the first record.

    `hint` says what may be wrong where a column is missing.
    """

    columns: list[Column]
    records: Iterator[Record]
    fixed: bool = True
    hint: str = ""


class FieldRows(NamedTuple):
    """The fields of a table's rows, its header's too, which are between a `delimiter`.

    It `is_declared` where the file itself says so. `quoting` is that of `FileFormat`.
    """

    rows: Iterator[Fields]
    delimiter: str
    is_declared: bool
    quoting: str


def read_field_rows(stream: BinaryIO, name: str, file_format: FileFormat) -> FieldRows:
    """The rows of a file of format tsv or csv; raises what `read_lines` raises.

    A first line such as sep=; is no row; it says what the delimiter is, unless that is given.
    """
    quoting = file_format.quoting or "field"
    if file_format.format == "csv" and quoting in ("field", "nsmc"):  # which TSV alone has
        quoting = "csv"
    delimiter = file_format.field_delimiter
    lines = read_lines(stream, name, file_format)
    first = next(lines, None)
    declaration = _DECLARATION.fullmatch(first.text) if first and not first.error else None
    if declaration and not file_format.has_given_delimiter:
        delimiter = declaration[1]
    elif first and not declaration:
        lines = chain([first], lines)
    rows = read_fields(lines, delimiter) if quoting == "csv" else _split(lines, delimiter)
    return FieldRows(rows, delimiter, declaration is not None, quoting)


def read_table(stream: BinaryIO, name: str, file_format: FileFormat) -> Table:
    """The table of a file of format tsv or csv; without a header its columns are 1, 2 and so on.

    Raises ValueError for an empty file, a damaged or ambiguous header, and what `read_lines`
    refuses.
    """
    rows, delimiter, _, quoting = read_field_rows(stream, name, file_format)
    first = next(rows, None)
    if first is None:
        raise ValueError(f"{name}: the file is empty")
    if first.error:
        raise ValueError(f"{name}, line {first.line}: {first.error}")
    hint = _delimiter_hint(first.fields, delimiter, file_format)
    layers = _LAYERS[quoting]
    columns: list[Column] = [*range(1, len(first.fields) + 1)]
    if file_format.header:
        columns = _names([_unquoted(field, layers).strip() for field in first.fields], name)
    else:
        rows = chain([first], rows)
    return Table(columns, _records(columns, rows, layers), hint=hint)


def _delimiter_hint(fields: list[str], delimiter: str, file_format: FileFormat) -> str:
    """Which delimiter the fields seem to have where there is but one."""
    likeliest = max(";,\t|", key=fields[0].count)
    if len(fields) != 1 or likeliest not in fields[0]:
        return ""
    return f"; {other_delimiter(likeliest, delimiter, file_format)}"


def other_delimiter(likeliest: str, delimiter: str, file_format: FileFormat) -> str:
    """Asks whether another delimiter is the right one, and says how to read the file with it."""
    of_corpus = ""
    if "delimiter" in file_format.inherited:
        of_corpus = f", not {delimiter!r} as in the corpus of {file_format.like_corpus_of}"
    way_out = file_format.option(*file_format.delimiter_setting(likeliest))
    return f"is {likeliest!r} between the fields{of_corpus}? read it with {way_out}"


def _names(header: list[str], name: str) -> list[Column]:
    """The names of a header; a column without one is called after its position."""
    names: list[Column] = []
    seen = set[str]()
    for index, column in enumerate(header, start=1):
        column = column or f"column {index}"
        if column in seen:
            raise ValueError(f"{name}, line 1: two columns are called {column[:40]!r}; rename one")
        seen.add(column)
        names.append(column)
    return names


def _split(lines: Iterable[Line], delimiter: str) -> Iterator[Fields]:
    """The fields of each line, where none spans lines; lines without any are left out."""
    width = 0
    for number, line, error in lines:
        fields = line.split(delimiter)
        if not any(fields) and not error:
            continue
        width = width or len(fields)
        if not error and len(fields) != width:
            error = wrong_width(len(fields), width)
        yield Fields(number, fields, error)


def _records(columns: list[Column], rows: Iterable[Fields], layers: int) -> Iterator[Record]:
    for line, fields, error in rows:
        if layers and not error:
            fields = [_unquoted(field, layers) if field[:1] == '"' else field for field in fields]
        yield Record(line, {} if error else dict(zip(columns, fields, strict=True)), error)


def _unquoted(field: str, layers: int) -> str:
    """The field without that many layers of CSV quoting, where it has them."""
    for _ in range(layers):
        if not _QUOTED.fullmatch(field):
            return field
        field = field[1:-1].replace('""', '"')
    return field
