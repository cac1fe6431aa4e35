"""Reads the small files that describe something: records, configurations, manifests.

Anybody may have put them there, so a pipe, a device and a file of gigabytes are refused before they
can hang the reader or fill the memory, and so is JSON that no program of ours would write.

This module imports nothing but the standard library.
"""

import json
import os
import stat
from io import BufferedReader
from pathlib import Path
from typing import Any

LARGEST = 16 << 20  # bytes; a run's record with hundreds of epochs has less than one hundredth


def read_bytes(path: Path, largest: int = LARGEST) -> bytes:
    """The content of a regular file of at most `largest` bytes.

    Raises FileNotFoundError without it, ValueError, in one line that names it, for any other.
    """
    with open_regular(path) as file:
        content = file.read(largest + 1)
    if len(content) > largest:
        raise ValueError(f"{path}: larger than {largest:,} bytes")
    return content


def open_regular(path: Path) -> BufferedReader:
    """A regular file to read; raises FileNotFoundError without it, ValueError for any other."""
    return open(path, "rb", opener=_regular)


def _regular(path: str, flags: int) -> int:
    # O_NONBLOCK: opening a pipe that nobody writes to would wait for ever.
    descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise ValueError(f"{path}: not a regular file")


def read_text(path: Path, largest: int = LARGEST) -> str:
    """The same as UTF-8 text."""
    try:
        return read_bytes(path, largest).decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 ({error.reason})") from None


def read_json(path: Path, largest: int = LARGEST) -> Any:
    """The same as a JSON value; ValueError as well where it is none, or nested too deeply."""
    text = read_text(path, largest)
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError(f"{path}: not JSON, or damaged") from None
