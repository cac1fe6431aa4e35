"""Bytes become lines of text: other encodings and what is no text are told from damage."""

import io
import zipfile
from pathlib import Path

import pytest

from nsmc.reading.file_format import FileFormat
from nsmc.reading.lines import LONGEST_LINE, Line, read_lines
from nsmc.reading.opening import opened

KOREAN = "정말 재미있는 영화였습니다. 뷁!"


def lines(content: bytes, encoding: str = "utf-8") -> list[Line]:
    file_format = FileFormat(encoding=encoding)
    stream = io.BufferedReader(io.BytesIO(content), 1 << 20)
    return list(read_lines(stream, "reviews", file_format))


def test_lines_are_numbered_and_lose_their_ends_and_the_byte_order_mark() -> None:
    content = f"\ufeff{KOREAN}\r\n\n\ufeff끝".encode()
    assert lines(content) == [Line(1, KOREAN), Line(2, ""), Line(3, "\ufeff끝")]
    assert lines(b"") == []


@pytest.mark.parametrize("text", [KOREAN, "별로", "ㅋㅋㅋ", f"good {KOREAN}", "7\t최고\t1"])
def test_cp949_is_recognized(text: str) -> None:
    (line,) = lines(text.encode("cp949"))
    assert line.error == ("not UTF-8, looks like cp949: read it with data.encoding=cp949")


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
        (zipped(), "save it as CSV"),
        (b"PAR1\x15\x04", "data.format=parquet"),
        (KOREAN.encode("utf-16"), "looks like utf-16: read it with data.encoding=utf-16"),
        (
            b"\xfe\xff" + KOREAN.encode("utf-16be"),
            "looks like utf-16: read it with data.encoding=utf-16",
        ),
        (
            f"id,document\n7,{KOREAN}\n".encode("utf-16le"),
            "looks like utf-16le: read it with data.encoding=utf-16le",
        ),
        (
            f"id,document\n7,{KOREAN}\n".encode("utf-16be"),
            "looks like utf-16be: read it with data.encoding=utf-16be",
        ),
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

    found = list(read_lines(Endless(), "endless", FileFormat()))  # type: ignore[arg-type]
    assert found == [Line(1, "", "longer than 1,048,576 bytes")]


def test_a_file_that_is_not_there_is_said_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere\.tsv: no such file"):
        opened(str(tmp_path / "nowhere.tsv"))


@pytest.mark.parametrize(
    "encoding", ["cp949", "euc-kr", "utf-16", "utf-16le", "utf-32", "utf-8-sig"]
)
def test_other_encodings_give_the_same_lines(encoding: str) -> None:
    content = "재미있는 영화\r\n\n끝".encode(encoding)
    assert [line.text for line in lines(content, encoding)] == ["재미있는 영화", "", "끝"]
    assert not any(line.error for line in lines(content, encoding))


def test_utf_8_is_not_read_as_cp949() -> None:
    (line,) = lines(KOREAN.encode(), "cp949")
    assert line.error == "not cp949, looks like utf-8: read it with data.encoding=utf-8"


def test_damage_in_another_encoding_damages_its_own_line_in_utf_16_the_file() -> None:
    sound = KOREAN.replace("뷁", "").encode("cp949")
    read = lines(sound + b"\n\xff\xff\n" + sound, "cp949")
    assert [line.error for line in read] == ["", "not cp949", ""]
    with pytest.raises(ValueError, match=r"^reviews: not utf-16le"):
        lines(b"a\0\n\0\x00\xd8\n\0", "utf-16le")


@pytest.mark.parametrize("length", [10, 100_000])
def test_a_file_whose_lines_end_with_cr_alone(length: int) -> None:
    content = "\r".join(["가" * length] * 3)
    assert [line.text for line in lines(content.encode())] == ["가" * length] * 3
    mixed = lines(b"a\rb\nc\r\n")
    assert [line.text for line in mixed] == ["a\rb", "c"]
