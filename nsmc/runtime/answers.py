"""Writes answers as rows of a file, in the columns below; those of the input follow them."""

import csv
import functools
import json
import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from nsmc.reading.file_format import BY_EXTENSION
from nsmc.reading.rows import Row

FORMATS = ("tsv", "csv", "jsonl", "text")
_COLUMNS = ("line", "id", "label", "probability", "document", "error")
_NOT_WRITTEN = (".json", ".parquet", ".gz")


class Answer(NamedTuple):
    """A row's label and its probability; None for a damaged row."""

    row: Row
    label: str
    probability: float | None


def output_format(output: str, source: str) -> str:
    """The format of an output file, by its extension, else that of the `source`.

    In place of a JSON array and of Parquet it is JSON Lines, which keeps types, too. Raises
    ValueError for an extension whose format cannot be written row by row.
    """
    extension = Path(output).suffix.lower()
    if extension in _NOT_WRITTEN:
        raise ValueError(
            f"--output {output}: {extension} files are not written; .tsv, .csv and .jsonl are"
        )
    form = BY_EXTENSION.get(extension, source)
    return form if form in FORMATS else "jsonl"


def writer_of(
    stream: TextIO, form: str, others: tuple[str, ...] = (), unit: str = "line"
) -> Callable[[Answer], None]:
    """A function that writes an answer in that format; a header is written at once.

    `others` are the input's other columns. Writing raises ValueError for a row that has one more,
    for which TSV and CSV have no place; `unit` is what such a row is called.
    """
    if form == "jsonl":
        return lambda answer: print(_json(_object(answer)), file=stream)
    if form == "text":
        return lambda answer: print(*map(_in_one_line, _line(answer)), sep="\t", file=stream)
    header = [*_COLUMNS, *names_beside_ours(others).values()]
    if form == "csv":
        rows = csv.writer(stream)  # RFC 4180's line ends: others leave a lone CR unquoted
        rows.writerow(header)
        return lambda answer: rows.writerow(_cells(answer, others, unit))
    print(*map(_in_one_line, header), sep="\t", file=stream)

    def write(answer: Answer) -> None:
        print(*map(_in_one_line, _cells(answer, others, unit)), sep="\t", file=stream)

    return write


@functools.lru_cache
def names_beside_ours(others: tuple[str, ...]) -> Mapping[str, str]:
    """What the input's columns are called beside ours: one that has the name of ours, otherwise."""
    taken, names = {*_COLUMNS, *others}, {}
    for column in others:
        name = column
        while name in _COLUMNS or (name != column and name in taken):
            name = f"original_{name}"
        names[column] = name
        taken.add(name)
    return names


def _own(answer: Answer) -> dict[str, Any]:
    """The values of our columns."""
    row = answer.row
    start = {"line": row.line, "id": row.id or ""}
    if row.error:
        return {**start, "error": row.error}
    probability = None if answer.probability is None else round(answer.probability, 6)
    return {**start, "label": answer.label, "probability": probability, "document": row.text}


def _object(answer: Answer) -> dict[str, Any]:
    others = answer.row.others
    names = names_beside_ours(tuple(others))
    return {**_own(answer), **{names[column]: value for column, value in others.items()}}


def _cells(answer: Answer, others: tuple[str, ...], unit: str) -> list[Any]:
    values, row = _own(answer), answer.row
    if added := [column for column in row.others if column not in others]:
        raise ValueError(
            f"{unit} {row.line}: {added[0][:40]!r} is not in the first object, and so no column of "
            "the output; write JSON Lines, which has no columns: --output FILE.jsonl"
        )
    cells = [values.get(column, "") for column in _COLUMNS]
    return [*cells, *(_cell(row.others.get(column)) for column in others)]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else _json(value)


def _line(answer: Answer) -> Iterable[Any]:
    row = answer.row
    if row.error:
        return "error", "", f"line {row.line}: {row.error}"
    values = _own(answer)
    return values["label"], values["probability"], row.text


def _in_one_line(value: object) -> str:
    return " ".join(str(value).split())


def _json(value: Any) -> str:
    """As JSON; what it has no type for, as Parquet's dates, is a text, and NaN is null."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, default=_as_text)
    except ValueError:
        return json.dumps(_finite(value), ensure_ascii=False, default=_as_text)


def _as_text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value
