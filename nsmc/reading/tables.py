"""TSV and CSV as records: a value for each column of each row."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, BinaryIO, NamedTuple

from nsmc.reading.csv_records import Fields, read_fields, wrong_width
from nsmc.reading.file_format import DELIMITERS, Column, FileFormat
from nsmc.reading.lines import Line, read_lines

# A CSV-quoted field: wrapped in double quotes, every double quote inside doubled.
_QUOTED = re.compile(r'"(?:[^"]|"")*"')

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


def read_table(stream: BinaryIO, name: str, file_format: FileFormat) -> Table:
    """The table of a file of format tsv or csv; without a header its columns are 1, 2 and so on.

    Raises ValueError for an empty file, a damaged or ambiguous header, CSV without a header whose
    fields look as if semicolons were between them, and what `read_lines` refuses.
    """
    delimiter = file_format.delimiter or DELIMITERS[file_format.format or "tsv"]
    quoting = file_format.quoting or "field"
    if file_format.format == "csv" and quoting in ("field", "nsmc"):  # which TSV alone has
        quoting = "csv"
    lines = read_lines(stream, name, file_format)
    rows = read_fields(lines, delimiter) if quoting == "csv" else _split(lines, delimiter)
    first = next(rows, None)
    if first is None:
        raise ValueError(f"{name}: the file is empty")
    if first.error:
        raise ValueError(f"{name}, line {first.line}: {first.error}")
    hint = _delimiter_hint(first.fields, file_format)
    if hint.endswith("';'") and not file_format.header:
        raise ValueError(f"{name}: one column{hint}")
    layers = _LAYERS[quoting]
    columns: list[Column] = [*range(1, len(first.fields) + 1)]
    if file_format.header:
        columns = _names([_unquoted(field, layers).strip() for field in first.fields], name)
    else:
        rows = chain([first], rows)
    return Table(columns, _records(columns, rows, layers), hint=hint)


def _delimiter_hint(fields: list[str], file_format: FileFormat) -> str:
    """Which delimiter the fields seem to have where there is but one; "" where that was given."""
    if len(fields) != 1 or file_format.delimiter:
        return ""
    likeliest = max(";,\t|", key=fields[0].count)
    if likeliest not in fields[0]:
        return ""
    other_format = {delimiter: form for form, delimiter in DELIMITERS.items()}.get(likeliest)
    named = ("format", other_format) if other_format else ("delimiter", likeliest)
    return f"; is {likeliest!r} between the fields? read it with {file_format.option(*named)}"


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
