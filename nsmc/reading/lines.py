"""Lines of text from bytes: the one place where bytes become text.

A line that is not in the file's encoding comes with what is wrong with it. What is no text at all
is refused.
"""

import codecs
import io
from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple

from nsmc.reading.encodings import is_korean_cp949, is_korean_utf8, wide_encoding
from nsmc.reading.file_format import FileFormat
from nsmc.reading.opening import first_bytes

LONGEST_LINE = 1 << 20  # bytes: far beyond any review; what is longer is damage

_BLOCK = 1 << 16

# The first bytes of files that are no lines of text, and what to do with such a file.
_REFUSED = {
    b"PK\x03\x04": "an Excel workbook or a zip archive; save it as CSV, or unpack it first",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook; save it as CSV",
    b"PAR1": "a Parquet file: read it with {parquet}",
    b"[{": "a JSON array: read it with {json}",
}


class Line(NamedTuple):
    """A line from 1 on without its end. With an `error` its text may be anything."""

    number: int
    text: str
    error: str = ""


def read_lines(stream: BinaryIO, name: str, file_format: FileFormat) -> Iterator[Line]:
    """The lines of a stream; none takes more memory than allowed.

    They end with LF or CR LF, or, where there is no LF at the start of the file, with CR. A byte
    order mark is no part of the first one. Raises ValueError, with the `name`, for what is no text
    in the encoding that the format has: workbooks, other formats, UTF-16.
    """
    stream = _with_line_feeds(stream, name, file_format)
    number = 0
    while content := stream.readline(LONGEST_LINE):
        number += 1
        if number == 1:
            _refuse_binary(content, name, file_format)
        if len(content) == LONGEST_LINE and not content.endswith(b"\n"):
            while content and not content.endswith(b"\n"):
                content = stream.readline(LONGEST_LINE)
            yield Line(number, "", f"longer than {LONGEST_LINE:,} bytes")
            continue
        if number == 1:
            content = content.removeprefix(codecs.BOM_UTF8)
        text, error = _decoded(content, file_format)
        yield Line(number, text.rstrip("\r\n"), error)


def transcoded(stream: BinaryIO, name: str, encoding: str) -> BinaryIO:
    """The stream's text as UTF-8; reading it raises ValueError for what is not in `encoding`."""
    decoder = codecs.getincrementaldecoder(encoding)("strict")

    def to_utf8(content: bytes) -> bytes:
        try:
            return decoder.decode(content, final=not content).encode("utf-8")
        except UnicodeError as error:
            raise ValueError(f"{name}: not {encoding} ({error})") from None

    return io.BufferedReader(_Translated(stream, to_utf8), _BLOCK)


def _with_line_feeds(stream: BinaryIO, name: str, file_format: FileFormat) -> BinaryIO:
    """The stream with lines that end with the byte of LF."""
    if not file_format.is_ascii_based:
        stream = transcoded(stream, name, file_format.encoding)
    start = first_bytes(stream)
    if b"\r" in start[:-1] and b"\n" not in start:
        replaced = _Translated(stream, lambda content: content.replace(b"\r", b"\n"))
        return io.BufferedReader(replaced, _BLOCK)
    return stream


class _Translated(io.RawIOBase):
    """A stream whose bytes have gone through `translate`, which is called with b"" at the end."""

    def __init__(self, stream: BinaryIO, translate: Callable[[bytes], bytes]) -> None:
        self._stream = stream
        self._translate = translate
        self._left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        content = b"-"
        while content and not self._left:
            content = self._stream.read1(_BLOCK)  # type: ignore[attr-defined]
            self._left = self._translate(content)
        part, self._left = self._left[: len(buffer)], self._left[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)


def _refuse_binary(first: bytes, name: str, file_format: FileFormat) -> None:
    """Raises ValueError where the first line shows that there is no text, or not byte by byte."""
    for signature, advice in _REFUSED.items():
        if first.startswith(signature):
            told = {form: file_format.option("format", form) for form in ("parquet", "json")}
            raise ValueError(f"{name}: {advice.format(**told)}")
    refuse_wide(first, name, file_format)
    if b"\0" in first:
        raise ValueError(f"{name}: not text, its first line has NUL bytes")


def refuse_wide(first: bytes, name: str, file_format: FileFormat) -> None:
    """Raises ValueError where the first bytes are of UTF-16 or UTF-32, which was not expected."""
    if encoding := wide_encoding(first):
        raise ValueError(f"{name}: {other_encoding(encoding, file_format)}")


def _decoded(content: bytes, file_format: FileFormat) -> tuple[str, str]:
    """The text of a line, and what is wrong with it."""
    encoding = file_format.encoding if file_format.is_ascii_based else "utf-8"
    is_utf8 = encoding == "utf-8"
    if not is_utf8 and is_korean_utf8(content):
        return "", other_encoding("utf-8", file_format)
    try:
        return content.decode(encoding), ""
    except UnicodeDecodeError:
        if is_utf8 and is_korean_cp949(content):
            return "", other_encoding("cp949", file_format)
        return "", f"not {_called(encoding)}"


def other_encoding(likely: str, file_format: FileFormat) -> str:
    """What is wrong with content that is likely to be in another encoding, and the way out."""
    way_out = file_format.option("encoding", likely)
    return f"not {_called(file_format.encoding)}, looks like {likely}: read it with {way_out}"


def _called(encoding: str) -> str:
    return "UTF-8" if encoding == "utf-8" else encoding
