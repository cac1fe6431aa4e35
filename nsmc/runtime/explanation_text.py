"""An explanation on a terminal: the review, in colour where there is any, and a table of words."""

from collections.abc import Sequence
from typing import NamedTuple

from nsmc.runtime.explanation import Explanation, Word
from nsmc.terminal import display_width, ellipsize, harmless

LEVELS = 5  # of how much a word adds

# Backgrounds of 256 colours, faint to strong, with black letters.
_FOR = (194, 157, 120, 83, 46)
_AGAINST = (224, 217, 210, 203, 196)

_LONGEST_WORD = 24  # columns
_BAR = 20  # columns of the longest bar
_NUMBER = 6  # columns


def level(word: Word, words: Sequence[Word]) -> int:
    """How much a word adds beside the others: from -LEVELS to LEVELS, 0 for next to nothing."""
    most = max(abs(each.weight) for each in words)
    share = word.weight / most if most > 0 else 0.0
    return round(LEVELS * share)


class Headings(NamedTuple):
    """Those of the table's columns, and what is said of words that are not read."""

    word: str
    so_far: str
    without: str
    adds: str
    unread: str


ENGLISH = Headings("word", "so far", "without", "adds", "(not read)")


def as_text(explanation: Explanation, colour: bool) -> str:
    """The answer, the words, and what each of them adds; without control characters but ours."""
    answer = f"{harmless(explanation.label)}  {explanation.probability:.4f}"
    return f"{answer}\n{words_as_text(explanation, colour)}"


def words_as_text(explanation: Explanation, colour: bool, headings: Headings = ENGLISH) -> str:
    """The same without the answer."""
    words = explanation.words
    shown = [
        _painted(word, level(word, words)) if colour else harmless(word.text) for word in words
    ]
    rest = [] if explanation.is_whole else [f"… {headings.unread}"]
    lines = ["  " + " ".join([*shown, *rest])]
    if words:
        texts = [ellipsize(harmless(word.text), _LONGEST_WORD) for word in words]
        width = max(map(display_width, [headings.word, *texts]))
        titles = [_filled(title, _NUMBER) for title in headings[1:4]]
        lines += ["", "  ".join(["", _filled(headings.word, width), *titles]).rstrip()]
        for text, word in zip(texts, words, strict=True):
            bar = _bar(word, words, colour)
            row = f"  {_filled(text, width)}  {_numbers(word, headings)} {bar}"
            lines.append(row.rstrip())
    return "\n".join(lines)


def _numbers(word: Word, headings: Headings) -> str:
    """The numbers of a word, right-aligned below the headings where these are wider."""
    numbers = (f"{word.after:.4f}", f"{word.without:.4f}", f"{word.weight:+{_NUMBER}.2f}")
    pairs = zip(numbers, headings[1:4], strict=True)
    return "  ".join(" " * (display_width(title) - len(text)) + text for text, title in pairs)


def _filled(text: str, width: int) -> str:
    return text + " " * (width - display_width(text))


def _bar(word: Word, words: Sequence[Word], colour: bool) -> str:
    length = round(_BAR * abs(word.weight) / (max(abs(each.weight) for each in words) or 1))
    bar = ("+" if word.weight > 0 else "-") * length
    if not (colour and bar):
        return bar
    colours = _FOR if word.weight > 0 else _AGAINST
    return f"\x1b[38;5;{colours[-1]}m{bar}\x1b[0m"


def _painted(word: Word, strength: int) -> str:
    text = harmless(word.text)
    if not strength:
        return text
    colours = _FOR if strength > 0 else _AGAINST
    return f"\x1b[30;48;5;{colours[abs(strength) - 1]}m{text}\x1b[0m"
