"""Bytes become lines of text: other encodings and what is no text are told from damage."""

import gzip
import io
import zipfile
from pathlib import Path

import pytest

from nsmc.runtime.lines import LONGEST_LINE, Line, opened, read_lines

KOREAN = "정말 재미있는 영화였습니다. 뷁!"


def lines(content: bytes) -> list[Line]:
    return list(read_lines(io.BytesIO(content), "reviews"))


def test_lines_are_numbered_and_lose_their_ends_and_the_byte_order_mark() -> None:
    content = f"\ufeff{KOREAN}\r\n\n\ufeff끝".encode()
    assert lines(content) == [Line(1, KOREAN), Line(2, ""), Line(3, "\ufeff끝")]
    assert lines(b"") == []


@pytest.mark.parametrize("text", [KOREAN, "별로", "ㅋㅋㅋ", f"good {KOREAN}", "7\t최고\t1"])
def test_cp949_is_recognized(text: str) -> None:
    (line,) = lines(text.encode("cp949"))
    assert line.error == ("not UTF-8, looks like cp949: convert it with iconv -f cp949 -t utf-8")


@pytest.mark.parametrize(
    "content",
    [
        b"\xff",
        b"good \xff movie",
        KOREAN.encode()[:-4] + "다".encode()[:2],  # cut within a syllable
        KOREAN.encode().replace("재".encode(), b"\xec\x9e"),
        "Très bien, déjà vu".encode("latin-1"),
        "映画は最高でした".encode("shift-jis"),
    ],
)
def test_other_damage_is_not_taken_for_cp949(content: bytes) -> None:
    assert [line.error for line in lines(b"good\n" + content)] == ["", "not UTF-8"]


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("xl/workbook.xml", "")
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "advice"),
    [
        (gzip.compress(KOREAN.encode(), mtime=0), "gunzip"),
        (zipped(), "save it as CSV"),
        (b"PAR1\x15\x04", "Parquet"),
        (KOREAN.encode("utf-16"), "iconv -f utf-16 -t utf-8"),
        (b"\xfe\xff" + KOREAN.encode("utf-16be"), "iconv -f utf-16 -t utf-8"),
        (f"id,document\n7,{KOREAN}\n".encode("utf-16le"), "iconv -f utf-16le -t utf-8"),
        (f"id,document\n7,{KOREAN}\n".encode("utf-16be"), "iconv -f utf-16be -t utf-8"),
        (b"\x7fELF\x02\x01\x01\x00", "NUL"),
    ],
)
def test_what_is_no_text_is_refused_with_what_to_do(content: bytes, advice: str) -> None:
    with pytest.raises(ValueError, match=rf"^reviews: .*{advice}") as caught:
        lines(content)
    assert len(str(caught.value).splitlines()) == 1


def test_a_nul_byte_in_a_later_line_is_part_of_its_text() -> None:
    assert lines(b"good\n\0\n") == [Line(1, "good"), Line(2, "\0")]


def test_no_line_takes_more_memory_than_allowed() -> None:
    class Endless(io.RawIOBase):
        longest = 0

        def readable(self) -> bool:
            return True

        def readline(self, size: int | None = -1, /) -> bytes:
            assert size is not None
            assert 0 < size <= LONGEST_LINE
            self.longest += size
            return b"x" * size if self.longest < 40 * LONGEST_LINE else b""

    found = list(read_lines(Endless(), "endless"))  # type: ignore[arg-type]
    assert found == [Line(1, "", "longer than 1,048,576 bytes")]


def test_a_file_that_is_not_there_is_said_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere\.tsv: no such file"):
        opened(str(tmp_path / "nowhere.tsv"))
