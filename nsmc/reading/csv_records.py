"""Fields of CSV, as RFC 4180 has it: a quoted one may hold delimiters, quotes and line ends.

A quote that is never closed would make one record of all that follows. Such a record is damage of
its first line alone: the lines after it are read once more, each for itself.
"""

import csv
from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from nsmc.reading.lines import LONGEST_LINE, Line

_MOST_LINES = 1_000  # of a record: far beyond any review

_OPEN_QUOTE = "unexpected end of data"  # what the library says where its input ends in a quote


class Fields(NamedTuple):
    """The fields of a record that begins at `line`. With an `error` they may be anything."""

    line: int
    fields: list[str]
    error: str = ""


def read_fields(lines: Iterator[Line], delimiter: str = ",") -> Iterator[Fields]:
    """The records of the lines, empty lines left out.

    A record has as many fields as the first one, else it is damaged.
    """
    again = deque[Line]()  # what was read in search of the end of a quote
    width: int | None = None
    while line := (again.popleft() if again else next(lines, None)):
        # No quote begins or ends in the lines that were searched, save in the last one.
        read, record = _parsed(line, () if again else lines, delimiter)
        if width is None:
            width = len(record.fields)
        elif record.fields and not record.error and len(record.fields) != width:
            wrong = wrong_width(len(record.fields), width)
            record = record._replace(error=wrong)
        if record.error:
            again.extend(read[1:])
        if record.fields or record.error:
            yield record


def wrong_width(fields: int, width: int) -> str:
    """What is wrong with a row that has not as many fields as the first one."""
    hint = " (is the file cut off?)" if fields < width else ""
    return f"{fields} fields where the first row has {width}{hint}"


def _parsed(first: Line, more: Iterable[Line], delimiter: str) -> tuple[list[Line], Fields]:
    """The record that begins with a line, and the lines that were read for it."""
    if '"' not in first.text and "\r" not in first.text:
        fields = first.text.split(delimiter) if first.text else []
        return [first], Fields(first.number, fields, first.error)
    read = [first]

    def contents() -> Iterator[str]:
        yield first.text + "\n"
        size = len(first.text)
        for line in more:
            read.append(line)
            yield line.text + "\n"
            size += len(line.text)
            if size > LONGEST_LINE or len(read) == _MOST_LINES:
                return

    csv.field_size_limit(2 * LONGEST_LINE)
    try:
        fields, problem = next(csv.reader(contents(), delimiter=delimiter, strict=True)), ""
    except csv.Error as error:
        is_open = _OPEN_QUOTE in str(error)
        fields, problem = [], "a quote that is never closed" if is_open else f"not CSV ({error})"
    wrong = next((line.error for line in read if line.error), problem)
    return read, Fields(first.number, fields, wrong)
