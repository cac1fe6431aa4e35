"""Reads reviews from files of any size, row by row, and writes rows of answers.

Formats: tsv (with a header; NSMC's own files are of this kind), csv, jsonl (an object on each line)
and text (a review on each line). A damaged row is no end: it comes with what is wrong with it.
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
    """What is said of a row: a label and its probability, or, for a damaged row, nothing."""

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

    Raises ValueError for a header that lacks a column, and for what is no text.
    """
    lines = read_lines(stream, name)
    if kind == "text":
        return _read_text(lines)
    if kind == "jsonl":
        return _read_json(lines, columns)
    return (_read_csv if kind == "csv" else _read_tsv)(lines, columns, name)


def unquoted(text: str, layers: int) -> str:
    """The text without so many layers of CSV quoting, where it has them."""
    for _ in range(layers):
        if text[:1] != '"' or not _QUOTED.fullmatch(text):
            return text
        text = text[1:-1].replace('""', '"')
    return text


def writer_of(stream: TextIO, kind: str) -> Callable[[Answer], None]:
    """What writes an answer in that format; a header, where there is one, is written at once."""
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


def _read_text(lines: Iterable[Line]) -> Iterator[Row]:
    for number, line, error in lines:
        yield _checked(Row(number, "" if error else line, error=error))


def _read_tsv(lines: Iterator[Line], columns: Columns, name: str) -> Iterator[Row]:
    first = next(lines, Line(1, ""))
    header = first.text.split("\t")
    _refuse_damaged(first.error, name)
    places = _places(header, columns, name)
    for number, line, error in lines:
        fields = line.split("\t")
        if not any(fields) and not error:
            continue
        if len(fields) != len(header) and not error:
            error = f"{len(fields)} fields where the header has {len(header)}"
        yield _row(number, fields, places, error, layers=2)


def _read_csv(lines: Iterator[Line], columns: Columns, name: str) -> Iterator[Row]:
    records = read_records(lines)
    header = next(records, Record(1, []))
    _refuse_damaged(header.error, name)
    places = _places(header.fields, columns, name)
    for record in records:
        yield _row(record.line, record.fields, places, record.error, layers=0)


def _read_json(lines: Iterable[Line], columns: Columns) -> Iterator[Row]:
    for number, line, error in lines:
        if not line.strip() and not error:
            continue
        row = Row(number, error=error)
        if not error:
            row = _from_json(number, line, columns)
        yield _checked(row)


def _from_json(number: int, line: str, columns: Columns) -> Row:
    try:
        content = json.loads(line)
        if not isinstance(content, dict) or not isinstance(content.get(columns.text), str):
            return Row(number, error=f"no text {columns.text!r}")
        review_id, label = str(content.get("id", "")), content.get(columns.label or "")
        label = "" if label is None else str(label)
    except (ValueError, RecursionError):  # numbers and nesting without end, too
        return Row(number, error="not JSON")
    if columns.label is None:
        return Row(number, content[columns.text], id=review_id)
    if columns.label not in content:
        return Row(number, id=review_id, error=f"no {columns.label!r}")
    return Row(number, content[columns.text], label, review_id)


def _refuse_damaged(header_error: str, name: str) -> None:
    if header_error:
        raise ValueError(f"{name}, line 1: {header_error}")


def _places(header: list[str], columns: Columns, name: str) -> dict[str, int]:
    if not any(header):
        raise ValueError(f"{name}: the file is empty; expected a header")
    for column, option in ((columns.text, "--column"), (columns.label, "--label")):
        if column is not None and column not in header:
            raise ValueError(
                f"{name}, line 1: no column {column!r} in {', '.join(header)[:80]!r}; "
                f"name it with {option}, or the file's kind with --format"
            )
    places = {"text": header.index(columns.text)}
    if columns.label is not None:
        places["label"] = header.index(columns.label)
    if "id" in header:
        places["id"] = header.index("id")
    return places


def _row(line: int, fields: list[str], places: dict[str, int], error: str, layers: int) -> Row:
    if error:
        return Row(line, error=error)
    values = {name: fields[place] for name, place in places.items()}
    text = unquoted(values["text"], layers)
    return _checked(Row(line, text, values.get("label"), values.get("id", "")))


def _checked(row: Row) -> Row:
    if not row.error and not row.text.strip():
        return row._replace(text="", error="no text")
    return row
