"""Tells whether the first row of a table is a header, by the rows that follow it."""

import io
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from typing import BinaryIO, NamedTuple, cast

from nsmc.reading.file_format import FileFormat
from nsmc.reading.labels import is_number
from nsmc.reading.tables import read_table

_ROWS = 1_000  # that are looked at

# What columns are often called, in small letters.
TEXTS = {"text", "document", "review", "reviews", "comment", "content", "sentence", "title"}
TEXTS |= {"리뷰", "후기", "내용", "본문", "댓글", "문장", "텍스트"}
LABELS = {"label", "labels", "rating", "ratings", "star", "stars", "score", "sentiment", "class"}
LABELS |= {"category", "target", "y", "평점", "별점", "점수", "라벨", "레이블", "감정", "분류"}
_OTHERS = {"id", "no", "index", "date", "user", "번호", "날짜", "작성일", "아이디"}


class Header(NamedTuple):
    """Whether the first row is a header; where that is not sure, what is to be assumed."""

    is_there: bool
    is_sure: bool


def sampled_fields(start: bytes, file_format: FileFormat) -> list[list[str]]:
    """The fields of the first rows of TSV or CSV that begins with these bytes, the header's too.

    Damaged rows are left out, and so is all that cannot be read.
    """
    stream = cast(BinaryIO, io.BufferedReader(io.BytesIO(start)))
    headless = replace(
        file_format,
        text_column=1,
        label_column=None,
        id_column=None,
        group_column=None,
        header=False,
    )
    rows = list[list[str]]()
    with suppress(ValueError):  # the bytes may end within a character
        for record in islice(read_table(stream, "", headless).records, _ROWS):
            if not record.error:
                rows.append([*record.values.values()])
    return rows


def has_header(rows: Sequence[Sequence[str]]) -> Header:
    """Whether the first of the rows is a header.

    A row that has the name of a column is one; a row with a value that its column has again and
    again, or with one value twice, is a review. With both, or with neither, it depends on what the
    columns hold. As a review may be a word that is a column's name, one name alone is not sure.
    """
    first, *others = rows or [[]]
    names = [name.strip() for name in first]
    columns = [[row[index] for row in others if row[index]] for index in range(len(names))]
    pairs = list(zip(names, columns, strict=True))
    named = sum(name.lower() in TEXTS | LABELS | _OTHERS for name in names)
    is_named = named > 0
    is_review = any(_repeats(values) and name in values for name, values in pairs)
    is_review |= len(set(filter(None, names))) < len([*filter(None, names)])
    if is_review and not is_named:
        return Header(False, is_sure=True)
    of_numbers = [(name, values) for name, values in pairs if all(map(is_number, values))]
    has_number = any(is_number(name) for name, _ in of_numbers)
    is_above_numbers = any(values and not is_number(name) for name, values in of_numbers)
    is_none_of_few = any(_repeats(values, 5) and name not in values for name, values in pairs)
    if is_named:
        is_supported = named > 1 or is_above_numbers or is_none_of_few
        return Header(True, is_sure=is_supported and not is_review)
    if is_none_of_few:
        return Header(True, is_sure=not has_number)
    if has_number:
        return Header(False, is_sure=False)
    return Header(True, is_sure=is_above_numbers)


def _repeats(values: Sequence[str], times: int = 2) -> bool:
    """Whether the values are few, each of them there that often on average."""
    return len(values) >= times * len(set(values)) > 0
