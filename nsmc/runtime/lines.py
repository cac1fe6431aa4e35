"""Lines of text from files and pipes: only here do bytes become text.

A line that is not UTF-8 comes with what is wrong with it. What is not text at all is refused.
"""

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

LONGEST_LINE = 1 << 20  # bytes: far beyond any review; what is longer is damage

# The first bytes of files that are no text, and what to do with such a file.
_SIGNATURES = {
    b"\x1f\x8b": "compressed by gzip; unpack it first, with gunzip",
    b"PK\x03\x04": "an Excel workbook or a zip archive; save it as CSV, or unpack it first",
    b"PAR1": "a Parquet file; write it as CSV or JSON Lines first",
    b"[{": "a JSON array; write it as JSON Lines, an object on each line",
}


class Line(NamedTuple):
    """A line, counted from 1, without its end. With an `error` its text means nothing."""

    number: int
    text: str
    error: str = ""


def read_lines(stream: BinaryIO, name: str) -> Iterator[Line]:
    """The lines of a stream; none takes more memory than allowed.

    A byte order mark is no part of the first one. Raises ValueError, with the `name`, for what is
    not text: compressed files, workbooks, JSON arrays, UTF-16.
    """
    number = 0
    while content := stream.readline(LONGEST_LINE):
        number += 1
        if number == 1:
            _refuse_binary(content, name)
        if len(content) == LONGEST_LINE and not content.endswith(b"\n"):
            while content and not content.endswith(b"\n"):
                content = stream.readline(LONGEST_LINE)
            yield Line(number, "", f"longer than {LONGEST_LINE:,} bytes")
            continue
        try:
            text, error = content.decode("utf-8-sig" if number == 1 else "utf-8"), ""
        except UnicodeDecodeError:
            text, error = content.decode("utf-8", "replace"), _not_utf8(content)
        yield Line(number, text.rstrip("\r\n"), error)


def name_of(path: str) -> str:
    """What a path is called in messages."""
    return "standard input" if path == "-" else path


def opened(path: str) -> BinaryIO:
    """A file to read, or standard input for `-`; FileNotFoundError or ValueError without it."""
    if path == "-":
        if sys.stdin is None:
            raise ValueError("standard input is closed")
        return sys.stdin.buffer
    if not Path(path).exists():
        raise FileNotFoundError(f"{path}: no such file")
    if Path(path).is_dir():
        raise IsADirectoryError(f"{path}: a folder; name a file in it")
    return io.BufferedReader(Path(path).open("rb", buffering=0), 1 << 20)


def _refuse_binary(first: bytes, name: str) -> None:
    """Raises ValueError where the first line shows that there is no text, or not byte by byte."""
    for signature, advice in _SIGNATURES.items():
        if first.startswith(signature):
            raise ValueError(f"{name}: {advice}")
    if encoding := _wide_encoding(first):
        raise ValueError(f"{name}: {_other_encoding(encoding)}")
    if b"\0" in first:
        raise ValueError(f"{name}: not text, its first line has NUL bytes")


def _wide_encoding(content: bytes) -> str:
    """UTF-16 or UTF-32, where the content has its byte order mark, or is full of NUL bytes."""
    if content.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff")):
        return "utf-32"
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    for offset, encoding in ((1, "utf-16le"), (0, "utf-16be")):
        high_bytes = content[offset::2]  # NUL in ASCII characters
        if len(high_bytes) > 3 and 4 * high_bytes.count(0) > len(high_bytes):
            return encoding
    return ""


def _not_utf8(content: bytes) -> str:
    """What is wrong with bytes that are not UTF-8; with what they look like, where they do."""
    read = content.decode("utf-8", "replace")
    wrong = read.count("\N{REPLACEMENT CHARACTER}")
    sound = sum(char > "\x7f" for char in read) - wrong
    if wrong > sound and _is_korean_cp949(content):  # else it is UTF-8 with some damage
        return _other_encoding("cp949")
    return "not UTF-8"


def _is_korean_cp949(content: bytes) -> bool:
    """Whether most of what is not ASCII is Hangul, and of syllables in use, when it is read so."""
    try:
        others = [char for char in content.decode("cp949") if char > "\x7f"]
    except UnicodeDecodeError:
        return False
    # What has two bytes in EUC-KR is in KS X 1001; other encodings hit upon the other syllables.
    common = [char for char in others if len(char.encode("euc_kr", "ignore")) == 2]
    hangul = sum("가" <= char <= "힣" or "ㄱ" <= char <= "ㅣ" for char in common)
    return 2 * hangul > len(others)


def _other_encoding(encoding: str) -> str:
    return f"not UTF-8, looks like {encoding}: convert it with iconv -f {encoding} -t utf-8"
