"""Opens a file or a pipe as bytes, unpacked where gzip packed it."""

import io
import sys
from pathlib import Path
from typing import BinaryIO

_GZIP = b"\x1f\x8b"
_BLOCK = 1 << 20


def name_of(path: str) -> str:
    """What a path is called in messages."""
    return "standard input" if path == "-" else path


def is_pipe(path: str) -> bool:
    """Whether it can be read only once."""
    return path == "-" or Path(path).is_fifo() or Path(path).is_char_device()


def opened(path: str) -> BinaryIO:
    """A file's bytes, or those of standard input for `-`, unpacked.

    Raises FileNotFoundError, IsADirectoryError or ValueError without it; while it is read,
    ValueError where what gzip packed is damaged.
    """
    if path == "-":
        if sys.stdin is None:
            raise ValueError("standard input is closed")
        return _unpacked(sys.stdin.buffer, path)
    if not Path(path).exists():
        raise FileNotFoundError(f"{path}: no such file")
    if Path(path).is_dir():
        raise IsADirectoryError(f"{path}: a folder; name a file in it")
    return _unpacked(io.BufferedReader(Path(path).open("rb", buffering=0), _BLOCK), path)


def first_bytes(stream: BinaryIO) -> bytes:
    """What the stream begins with, without taking it away; at least one byte unless it is empty."""
    return stream.peek(_BLOCK) if isinstance(stream, io.BufferedReader) else b""


def position(stream: BinaryIO) -> int:
    """How many bytes of the file itself have been read."""
    packed: BinaryIO = getattr(getattr(stream, "raw", None), "packed", stream)
    return packed.tell()


def _unpacked(stream: BinaryIO, path: str) -> BinaryIO:
    if not first_bytes(stream).startswith(_GZIP):
        return stream
    from nsmc.reading.gzipped import Unpacked  # for whose imports one answer would wait

    return io.BufferedReader(Unpacked(stream, name_of(path)), _BLOCK)
