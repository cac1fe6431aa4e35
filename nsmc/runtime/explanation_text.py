"""An explanation on a terminal: the review, in colour where there is any, and a table of words."""

from collections.abc import Sequence

from nsmc.runtime.explanation import Explanation, Word
from nsmc.terminal import display_width, ellipsize, harmless

LEVELS = 5  # of how much a word adds

# Backgrounds of 256 colours, faint to strong, with black letters.
_FOR = (194, 157, 120, 83, 46)
_AGAINST = (224, 217, 210, 203, 196)

_LONGEST_WORD = 24  # columns
_BAR = 20  # columns of the longest bar


def level(word: Word, words: Sequence[Word]) -> int:
    """How much a word adds beside the others: from -LEVELS to LEVELS, 0 for next to nothing."""
    most = max(abs(each.weight) for each in words)
    share = word.weight / most if most > 0 else 0.0
    return round(LEVELS * share)


def as_text(explanation: Explanation, colour: bool) -> str:
    """The answer, the words, and what each of them adds; without control characters but ours."""
    label, words = harmless(explanation.label), explanation.words
    shown = [
        _painted(word, level(word, words)) if colour else harmless(word.text) for word in words
    ]
    rest = [] if explanation.is_whole else ["… (not read)"]
    lines = [f"{label}  {explanation.probability:.4f}", "  " + " ".join([*shown, *rest])]
    if words:
        width = max(*(min(display_width(word.text), _LONGEST_WORD) for word in words), 4)
        lines += ["", f"  {'word':<{width}}  so far  without  adds"]
        lines += [f"  {_row(word, words, width, colour)}" for word in words]
    return "\n".join(lines)


def _row(word: Word, words: Sequence[Word], width: int, colour: bool) -> str:
    text = ellipsize(harmless(word.text), _LONGEST_WORD)
    filled = text + " " * (width - display_width(text))
    length = round(_BAR * abs(word.weight) / (max(abs(each.weight) for each in words) or 1))
    bar = ("+" if word.weight > 0 else "-") * length
    if colour and bar:
        colours = _FOR if word.weight > 0 else _AGAINST
        bar = f"\x1b[38;5;{colours[-1]}m{bar}\x1b[0m"
    return f"{filled}  {word.after:.4f}   {word.without:.4f}  {word.weight:+6.2f} {bar}".rstrip()


def _painted(word: Word, strength: int) -> str:
    text = harmless(word.text)
    if not strength:
        return text
    colours = _FOR if strength > 0 else _AGAINST
    return f"\x1b[30;48;5;{colours[abs(strength) - 1]}m{text}\x1b[0m"
