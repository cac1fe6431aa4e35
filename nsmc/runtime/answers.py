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
_UNSURE = "unsure"  # one more, behind the probability, where it is asked for
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
    stream: TextIO,
    form: str,
    others: tuple[str, ...] = (),
    unit: str = "line",
    unsure_below: float | None = None,
) -> Callable[[Answer], None]:
    """A function that writes an answer in that format; a header is written at once.

    `others` are the input's other columns. Writing raises ValueError for a row that has one more,
    for which TSV and CSV have no place; `unit` is what such a row is called. With `unsure_below`
    there is a column that says which probabilities are less.
    """
    columns = our_columns(unsure_below)
    own = functools.partial(_own, unsure_below)
    if form == "jsonl":
        return lambda answer: print(_json(_object(own(answer), answer, columns)), file=stream)
    if form == "text":
        return lambda answer: print(
            *map(_in_one_line, _line(own(answer), answer, columns)), sep="\t", file=stream
        )
    header = [*columns, *names_beside_ours(others, columns).values()]
    if form == "csv":
        rows = csv.writer(stream)  # RFC 4180's line ends: others leave a lone CR unquoted
        rows.writerow(header)
        return lambda answer: rows.writerow(_cells(own(answer), answer, columns, others, unit))
    print(*map(_in_one_line, header), sep="\t", file=stream)

    def write(answer: Answer) -> None:
        cells = _cells(own(answer), answer, columns, others, unit)
        print(*map(_in_one_line, cells), sep="\t", file=stream)

    return write


def our_columns(unsure_below: float | None) -> tuple[str, ...]:
    """The columns that answers have of their own."""
    behind = _COLUMNS.index("probability") + 1
    added = () if unsure_below is None else (_UNSURE,)
    return (*_COLUMNS[:behind], *added, *_COLUMNS[behind:])


@functools.lru_cache
def names_beside_ours(
    others: tuple[str, ...], columns: tuple[str, ...] = _COLUMNS
) -> Mapping[str, str]:
    """What the input's columns are called beside ours: one that has the name of ours, otherwise."""
    taken, names = {*columns, *others}, {}
    for column in others:
        name = column
        while name in columns or (name != column and name in taken):
            name = f"original_{name}"
        names[column] = name
        taken.add(name)
    return names


def _own(unsure_below: float | None, answer: Answer) -> dict[str, Any]:
    """The values of our columns."""
    row = answer.row
    start = {"line": row.line, "id": row.id or ""}
    if row.error:
        return {**start, "error": row.error}
    probability = None if answer.probability is None else round(answer.probability, 6)
    values = {**start, "label": answer.label, "probability": probability}
    if unsure_below is not None and answer.probability is not None:
        values[_UNSURE] = answer.probability < unsure_below
    return {**values, "document": row.text}


def _object(values: Mapping[str, Any], answer: Answer, columns: tuple[str, ...]) -> dict[str, Any]:
    others = answer.row.others
    names = names_beside_ours(tuple(others), columns)
    return {**values, **{names[column]: value for column, value in others.items()}}


def _cells(
    values: Mapping[str, Any],
    answer: Answer,
    columns: tuple[str, ...],
    others: tuple[str, ...],
    unit: str,
) -> list[Any]:
    row = answer.row
    if added := [column for column in row.others if column not in others]:
        raise ValueError(
            f"{unit} {row.line}: {added[0][:40]!r} is not in the first object, and so no column of "
            "the output; write JSON Lines, which has no columns: --output FILE.jsonl"
        )
    cells = [_truth(values.get(column, "")) for column in columns]
    return [*cells, *(_cell(row.others.get(column)) for column in others)]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else _json(value)


def _truth(value: Any) -> Any:
    return _json(value) if isinstance(value, bool) else value


def _line(values: Mapping[str, Any], answer: Answer, columns: tuple[str, ...]) -> Iterable[Any]:
    row, added = answer.row, [sureness(values.get(_UNSURE))] if _UNSURE in columns else []
    if row.error:
        return "error", "", *added, f"line {row.line}: {row.error}"
    return values["label"], values["probability"], *added, row.text


def sureness(is_unsure: bool | None) -> str:
    """The word for it; none where there is no answer."""
    return "" if is_unsure is None else "unsure" if is_unsure else "sure"


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
