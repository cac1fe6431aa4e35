"""Tells by the first rows of TSV or CSV what is between their fields."""

import io
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from typing import BinaryIO, NamedTuple, cast

from nsmc.reading.file_format import FileFormat
from nsmc.reading.tables import read_field_rows

_CANDIDATES = ("\t", ",", ";", "|")
_ROWS = 1_000  # that are looked at
_NEARLY_ALL = 0.9  # of the rows, which a delimiter cuts into equally many fields


class Delimiters(NamedTuple):
    """The delimiter that the file is read with, the `best` one, and `others` that fit, too."""

    own: str
    best: str
    others: tuple[str, ...] = ()

    @property
    def is_wrong(self) -> bool:
        """Whether another delimiter fits, and the file's own does not."""
        return self.best != self.own and self.own not in self.others


def likely_delimiters(start: bytes, file_format: FileFormat) -> Delimiters:
    """What is between the fields of TSV or CSV that begins with these bytes.

    A delimiter fits where it cuts nearly all rows into equally many fields. A tab that does is
    best, as hardly anybody types one in a review; else the file's own delimiter is, unless another
    one fits more rows. What the file itself says in a line such as sep=; is believed.
    """
    own, is_declared = _own(start, file_format)
    if is_declared:
        return Delimiters(own, own)
    shares = {
        delimiter: _share(start, replace(file_format, delimiter=delimiter))
        for delimiter in dict.fromkeys((own, *_CANDIDATES))
    }
    good = [delimiter for delimiter, share in shares.items() if share >= _NEARLY_ALL]
    best = max(good, key=lambda each: (each == "\t", shares[each], each == own), default=own)
    others = () if best == "\t" else tuple(each for each in good if each != best)
    return Delimiters(own, best, others)


def _own(start: bytes, file_format: FileFormat) -> tuple[str, bool]:
    """The delimiter that the file is read with, and whether the file itself says so."""
    try:
        rows = read_field_rows(_stream(start), "", file_format)
    except ValueError:
        return file_format.field_delimiter, False
    return rows.delimiter, rows.is_declared


def _share(start: bytes, file_format: FileFormat) -> float:
    """The share of rows that have the commonest number of fields above one.

    A comma with a space after it is more likely to be of a sentence than between fields.
    """
    widths = Counter[int]()
    with suppress(ValueError):  # the bytes may end within a character
        for row in islice(read_field_rows(_stream(start), "", file_format).rows, _ROWS):
            is_prose = file_format.delimiter == "," and any(
                field[:1] == " " for field in row.fields[1:]
            )
            widths[1 if is_prose else len(row.fields)] += 1
    most = max((count for width, count in widths.items() if width > 1), default=0)
    return most / max(widths.total(), 1)


def _stream(start: bytes) -> BinaryIO:
    return cast(BinaryIO, io.BufferedReader(io.BytesIO(start)))
