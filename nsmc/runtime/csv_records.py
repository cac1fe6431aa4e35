"""Records of CSV, as RFC 4180 has it: a quoted field may hold commas, quotes and line ends.

A quote that is never closed would make one record of all that follows. Such a record is damage of
its first line alone: the lines after it are read once more, each for itself.
"""

import csv
from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from nsmc.runtime.lines import LONGEST_LINE, Line

_MOST_LINES = 1_000  # of a record: far beyond any review

_OPEN_QUOTE = "unexpected end of data"  # what the library says where its input ends in a quote


class Record(NamedTuple):
    """The fields of a record that begins at `line`. With an `error` they mean nothing."""

    line: int
    fields: list[str]
    error: str = ""


def read_records(lines: Iterator[Line]) -> Iterator[Record]:
    """The records of the lines, empty lines left out; the first one is the header.

    A record has as many fields as the header, else it is damaged.
    """
    again = deque[Line]()  # what was read in search of the end of a quote
    width: int | None = None
    while line := (again.popleft() if again else next(lines, None)):
        # No quote begins or ends in the lines that were searched, save in the last one.
        read, record = _parsed(line, () if again else lines)
        if width is None:
            width = len(record.fields)
        elif record.fields and not record.error and len(record.fields) != width:
            wrong = f"{len(record.fields)} fields where the header has {width}"
            record = record._replace(error=wrong)
        if record.error:
            again.extend(read[1:])
        if record.fields or record.error:
            yield record


def _parsed(first: Line, more: Iterable[Line]) -> tuple[list[Line], Record]:
    """The record that begins with a line, and the lines that were read for it."""
    if '"' not in first.text and "\r" not in first.text:
        fields = first.text.split(",") if first.text else []
        return [first], Record(first.number, fields, first.error)
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
        fields, problem = next(csv.reader(contents(), strict=True)), ""
    except csv.Error as error:
        is_open = _OPEN_QUOTE in str(error)
        fields, problem = [], "a quote that is never closed" if is_open else f"not CSV ({error})"
    wrong = next((line.error for line in read if line.error), problem)
    return read, Record(first.number, fields, wrong)
