"""What is printed: harmless for a terminal, whoever wrote it, and accepted by every output.

A control character can clear the screen, rename the window or hide a line, and what turns the
order of characters around makes a line read as another one. Each is shown as U+FFFD.

This module imports nothing but the standard library.
"""

import io
import os
import sys
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

_HARMFUL = ("Cc", "Cs", "Zl", "Zp")  # controls, surrogates, separators of lines and paragraphs

# Classes of characters that make a terminal show what follows in another order.
_TURNING = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")


def harmless(text: str, keep: str = "") -> str:
    """The text without characters that harm a terminal, except those in `keep`."""
    if text.isprintable():  # as nearly every text is
        return text
    return "".join(
        "\N{REPLACEMENT CHARACTER}" if _is_harmful(char) and char not in keep else char
        for char in text
    )


def first_few(names: Sequence[str], most: int) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def harmless_lines(text: str) -> str:
    """The same for a text of several lines with tabs in them."""
    return harmless(text.replace("\r\n", "\n"), keep="\n\t")


def display_width(text: str) -> int:
    """The columns that the text takes on a terminal: two for each Hangul syllable."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def ellipsize(text: str, width: int) -> str:
    """The text, with its end cut off if it takes more than `width` columns of a terminal."""
    if display_width(text) <= width:
        return text
    kept = text[:width]
    while display_width(kept) >= width:
        kept = kept[:-1]
    return f"{kept}…"


class HarmlessStream:
    """A terminal to write lines to; what is written is cleaned."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write the text; returns its length."""
        self._stream.write(harmless_lines(text))
        return len(text)


def _is_harmful(char: str) -> bool:
    return unicodedata.category(char) in _HARMFUL or unicodedata.bidirectional(char) in _TURNING


def accept_every_text(discard_output: bool = False) -> None:
    """Write `?` for what an output cannot encode, and drop what goes to a closed standard error.

    Otherwise a terminal or a log without Hangul would end a program that has done its work, and
    messages would end up in the first file that is opened. `discard_output` also drops what goes to
    a closed standard output: for a program whose result is not what it prints.
    """
    nowhere = Path(os.devnull)
    if sys.stdout is None and discard_output:
        sys.stdout = nowhere.open("w", encoding="utf-8")
    if sys.stderr is None:
        sys.stderr = nowhere.open("w", encoding="utf-8")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
