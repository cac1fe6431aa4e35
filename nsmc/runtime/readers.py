"""Reads reviews from files of any size, row by row, and writes rows of answers.

Formats: tsv (with a header; NSMC's own files are of this kind), csv, jsonl (an object on each line)
and text (a review on each line). A damaged row does not end the reading: it comes with what is
wrong with it.
"""

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, TextIO

from nsmc.runtime.csv_records import Record, read_records
from nsmc.runtime.lines import LONGEST_LINE, Line, opened, read_lines

FORMATS = ("tsv", "csv", "jsonl", "text")
BY_EXTENSION = {".tsv": "tsv", ".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}

# A CSV-quoted field: wrapped in double quotes, every double quote inside doubled.
_QUOTED = re.compile(r'"(?:[^"]|"")*"')

_COLUMNS = ("line", "id", "label", "probability", "document", "error")


class Row(NamedTuple):
    """One row of a file, which begins at `line`, from 1. With an `error` it has no text."""

    line: int
    text: str = ""
    label: str | None = None
    id: str = ""
    error: str = ""


class Columns(NamedTuple):
    """The names of the columns that are read; `label` is None where no labels are wanted."""

    text: str
    label: str | None = None


class Answer(NamedTuple):
    """A row's label and its probability; None for a damaged row."""

    row: Row
    label: str
    probability: float | None


def format_of(path: str) -> str:
    """A file's format by its extension; without one, or .txt, by its first line: NSMC's are TSV.

    Raises FileNotFoundError without the file, ValueError for another extension.
    """
    extension = Path(path).suffix.lower()
    if extension in BY_EXTENSION:
        return BY_EXTENSION[extension]
    if extension not in ("", ".txt") and Path(path).exists():
        raise ValueError(
            f"{path}: {extension} files are not read; {', '.join(BY_EXTENSION)} and .txt are, "
            f"others with --format {', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
        )
    is_pipe = path == "-" or Path(path).is_fifo() or Path(path).is_char_device()
    if is_pipe:  # which can be read once only
        return "text"
    with opened(path) as file:
        return "tsv" if b"\t" in file.readline(LONGEST_LINE) else "text"


def read_rows(stream: BinaryIO, kind: str, columns: Columns, name: str) -> Iterator[Row]:
    """The rows of a file of that format. `name` is what the user calls it.

    Raises ValueError for a header that lacks a column, and for what is not text.
    """
    rows: Iterator[Row]
    lines = read_lines(stream, name)
    if kind == "text":
        rows = (Row(number, "" if error else text, error=error) for number, text, error in lines)
    elif kind == "jsonl":
        rows = (_from_json(line, columns) for line in lines if line.error or line.text.strip())
    elif kind == "csv":
        rows = _from_table(read_records(lines), columns, name, layers=0)
    else:
        rows = _from_table(_tsv_records(lines), columns, name, layers=2)
    for row in rows:
        has_no_text = not row.error and not row.text.strip()
        yield row._replace(text="", error="no text") if has_no_text else row


def unquoted(text: str, layers: int) -> str:
    """The text without this many layers of CSV quoting, or as many as it has."""
    for _ in range(layers):
        if text[:1] != '"' or not _QUOTED.fullmatch(text):
            return text
        text = text[1:-1].replace('""', '"')
    return text


def writer_of(stream: TextIO, kind: str) -> Callable[[Answer], None]:
    """A function that writes an answer in that format; a header is written at once."""
    if kind == "jsonl":
        return lambda answer: print(json.dumps(_fields(answer), ensure_ascii=False), file=stream)
    if kind == "csv":
        rows = csv.writer(stream)  # RFC 4180's line ends: others leave a lone CR unquoted
        rows.writerow(_COLUMNS)
        return lambda answer: rows.writerow(_fields(answer).get(name, "") for name in _COLUMNS)
    columns = _COLUMNS if kind == "tsv" else ("label", "probability", "document")
    if kind == "tsv":
        print(*columns, sep="\t", file=stream)

    def write(answer: Answer) -> None:
        fields = _fields(answer)
        if kind == "text" and answer.row.error:
            fields |= {"label": "error", "document": f"line {answer.row.line}: {answer.row.error}"}
        shown = (str(fields.get(name, "")) for name in columns)
        print(*(" ".join(each.split()) for each in shown), sep="\t", file=stream)

    return write


def _fields(answer: Answer) -> dict[str, object]:
    row = answer.row
    if row.error:
        return {"line": row.line, "id": row.id, "error": row.error}
    return {
        "line": row.line,
        "id": row.id,
        "label": answer.label,
        "probability": None if answer.probability is None else round(answer.probability, 6),
        "document": row.text,
    }


def _from_json(line: Line, columns: Columns) -> Row:
    if line.error:
        return Row(line.number, error=line.error)
    try:
        content = json.loads(line.text)
        if not isinstance(content, dict) or not isinstance(content.get(columns.text), str):
            return Row(line.number, error=f"no text {columns.text!r}")
        review_id, label = str(content.get("id", "")), content.get(columns.label or "")
        label = "" if label is None else str(label)
    except (ValueError, RecursionError):  # numbers and nesting without end, too
        return Row(line.number, error="not JSON")
    if columns.label is None:
        return Row(line.number, content[columns.text], id=review_id)
    if columns.label not in content:
        return Row(line.number, id=review_id, error=f"no {columns.label!r}")
    return Row(line.number, content[columns.text], label, review_id)


def _tsv_records(lines: Iterable[Line]) -> Iterator[Record]:
    """The header, then the records of the lines that are not empty."""
    width = 0
    for number, text, error in lines:
        fields = text.split("\t")
        width = width or len(fields)
        if not error and any(fields) and len(fields) != width:
            error = f"{len(fields)} fields where the header has {width}"
        if number == 1 or error or any(fields):
            yield Record(number, fields, error)


def _from_table(
    records: Iterator[Record], columns: Columns, name: str, layers: int
) -> Iterator[Row]:
    """The rows of records, the first of which is the header; `layers` are those of `unquoted`."""
    _, header, error = next(records, Record(1, []))
    if error:
        raise ValueError(f"{name}, line 1: {error}")
    if not any(header):
        raise ValueError(f"{name}: the file is empty; expected a header")
    for column, option in ((columns.text, "--column"), (columns.label, "--label")):
        if column is not None and column not in header:
            raise ValueError(
                f"{name}, line 1: no column {column!r} in {', '.join(header)[:80]!r}; "
                f"name it with {option}, or the file's kind with --format"
            )
    index = {column: header.index(column) for column in (*columns, "id") if column in header}
    for line, fields, error in records:
        if error:
            yield Row(line, error=error)
        else:
            text = unquoted(fields[index[columns.text]], layers)
            label = None if columns.label is None else fields[index[columns.label]]
            yield Row(line, text, label, fields[index["id"]] if "id" in index else "")
