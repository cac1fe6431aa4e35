"""Records over several lines, and quotes that are never closed; the rest is in test_readers."""

from collections.abc import Iterator
from itertools import chain

from nsmc.runtime.csv_records import Record, read_records
from nsmc.runtime.lines import Line


def records(*lines: str) -> list[Record]:
    return list(read_records(Line(number, line) for number, line in enumerate(lines, start=1)))


def test_records_begin_at_a_line_and_have_as_many_fields_as_the_header() -> None:
    found = records("a,b", '"first', 'second",""""', "", "alone", '"open,1', "c,d")
    assert found == [
        Record(1, ["a", "b"]),
        Record(2, ["first\nsecond", '"']),
        Record(5, ["alone"], "1 fields where the header has 2"),
        Record(6, [], "a quote that is never closed"),
        Record(7, ["c", "d"]),
    ]


def test_a_file_of_open_quotes_is_read_line_by_line_not_again_and_again() -> None:
    # From any of these lines the next ones would be parsed as one record without end.
    line, count = 'a"",b"",c",",d', 3_000
    read_lines = []

    def lines() -> Iterator[Line]:
        for number in range(1, count):
            read_lines.append(number)
            yield Line(number, line)

    records = list(read_records(chain([Line(0, "document")], lines())))
    assert len(records) == count
    assert len(read_lines) == count - 1
