"""Whether the first row is a header is told by names and by what follows, or honestly not told."""

import pytest

from nsmc.reading.file_format import FileFormat
from nsmc.reading.headers import Header, has_header, sampled_fields

SURE, REVIEW = Header(True, is_sure=True), Header(False, is_sure=True)
PERHAPS, PERHAPS_REVIEW = Header(True, is_sure=False), Header(False, is_sure=False)
RATED = [[f"글 {number}", str(number % 5)] for number in range(30)]
JUDGED = [[f"글 {number}", ("좋음", "나쁨")[number % 2]] for number in range(30)]


@pytest.mark.parametrize(
    ("rows", "header"),
    [
        ([["id", "document", "label"], ["1", "가", "0"], ["2", "나", "1"]], SURE),
        ([["Review", "2024"], *RATED], SURE),  # a number may name a column
        ([["Review", "4"], *RATED], PERHAPS),  # or be a rating
        ([["영화", "평"], *RATED], SURE),  # above numbers
        ([["영화", "평"], *JUDGED], SURE),  # none of the labels
        (RATED, REVIEW),
        (JUDGED, REVIEW),
        ([["첫 글", "7"], *RATED], PERHAPS),
        ([["5", "가"], ["1", "나"]], PERHAPS_REVIEW),
        ([["5", "가"]], PERHAPS_REVIEW),
        ([["가", "나"], ["다", "라"]], PERHAPS),
        ([["가", "가"], ["다", "라"]], REVIEW),  # names differ
        ([["가"]], PERHAPS),
        ([["text", "label"]], SURE),
        ([["내용"], ["재밌다"], ["별로"]], PERHAPS),  # a review of one word may be a name
        ([["내용", "나쁨"], ["재밌다", "좋음"], ["별로", "보통"]], PERHAPS),
        ([["내용", "평"], *JUDGED], SURE),  # as the other column supports it
        ([["내용", "평"], *RATED], SURE),
        ([["", ""], ["", ""]], PERHAPS),
        ([], PERHAPS),
    ],
)
def test_a_header_is_told_from_a_review(rows: list[list[str]], header: Header) -> None:
    assert has_header(rows) == header


@pytest.mark.parametrize("encoding", ["utf-8", "cp949", "utf-16"])
def test_rows_are_sampled_from_bytes_that_end_anywhere(encoding: str) -> None:
    start = "글,별점\r\n하나,5\r\n둘,4,x\r\n".encode(encoding)
    file_format = FileFormat(format="csv", encoding=encoding, group_column="movie")
    for end in range(len(start) + 1):
        sample = sampled_fields(start[:end], file_format)
        assert all(len(row) == len(sample[0]) for row in sample)
    assert sample == [["글", "별점"], ["하나", "5"]]
