"""Makes text harmless for a terminal, whoever wrote it: reviews, names, cards, messages.

A control character can clear the screen, rename the window or hide a line, and what turns the
order of characters around makes a line read as another one. Each is shown as U+FFFD.

This module imports nothing but the standard library.
"""

import unicodedata
from typing import TextIO

_HARMFUL = ("Cc", "Cs", "Zl", "Zp")  # controls, surrogates, separators of lines and paragraphs

# Classes of characters that make a terminal show what follows in another order.
_TURNING = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")


def harmless(text: str, keep: str = "") -> str:
    """The text without characters that do a terminal harm, but for those in `keep`."""
    if text.isprintable():  # then there is none of them
        return text
    return "".join(
        "\N{REPLACEMENT CHARACTER}" if _is_harmful(char) and char not in keep else char
        for char in text
    )


def harmless_lines(text: str) -> str:
    """The same for a text of several lines with tabs in them."""
    return harmless(text.replace("\r\n", "\n"), keep="\n\t")


class HarmlessStream:
    """A terminal to write lines to; what is written is cleaned."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write the text; returns its length."""
        self._stream.write(harmless_lines(text))
        return len(text)

    def flush(self) -> None:
        """Let the terminal show what was written."""
        self._stream.flush()


def _is_harmful(char: str) -> bool:
    return unicodedata.category(char) in _HARMFUL or unicodedata.bidirectional(char) in _TURNING
