"""An explanation as a part of an HTML page, which runs nothing."""

import html
from collections.abc import Iterator
from pathlib import Path

from nsmc.runtime.explanation import Explanation, Word
from nsmc.runtime.explanation_text import level
from nsmc.terminal import harmless


def style() -> str:
    """The CSS that a page with such parts needs."""
    return Path(__file__).with_suffix(".css").read_text("utf-8")


def as_section(explanation: Explanation, note: str = "", heading: str = "h2") -> str:
    """The answer with a note behind it, the words in colour, the trace as a line, and numbers."""
    words = explanation.words
    shown = " ".join(_marked(word, level(word, words)) for word in words)
    if not explanation.is_whole:
        shown += ' <span class="unread">… (not read)</span>'
    rows = "".join(_row(word) for word in words)
    answer = f"{_safe(explanation.label)} {explanation.probability:.4f}{_safe(note)}"
    return (
        f'<section class="explanation"><{heading}>{answer}</{heading}>\n'
        f'<p class="review">{shown}</p>\n{_curve(explanation)}\n'
        "<details><summary>Numbers</summary><table><thead><tr><th>word</th><th>so far</th>"
        f"<th>without</th><th>adds</th></tr></thead><tbody>{rows}</tbody></table></details></section>"
    )


def _marked(word: Word, strength: int) -> str:
    name = f"{'f' if strength > 0 else 'a'}{abs(strength)}" if strength else ""
    return f'<span class="{name}">{_safe(word.text)}</span>'


def _row(word: Word) -> str:
    numbers = (f"{word.after:.4f}", f"{word.without:.4f}", f"{word.weight:+.2f}")
    cells = "".join(f"<td>{cell}</td>" for cell in numbers)
    return f"<tr><td>{_safe(word.text)}</td>{cells}</tr>"


def _curve(explanation: Explanation) -> str:
    values = (explanation.start, *explanation.trace)
    points = " ".join(_points(values))
    ends = f"from {explanation.start:.2f} to {explanation.probability:.2f}"
    return (
        f'<svg viewBox="0 0 100 100" preserveAspectRatio="none" role="img" aria-label="probability '
        f'while reading, {ends}"><line class="middle" x1="0" y1="50" x2="100" y2="50"/>'
        f'<polyline points="{points}"/></svg>'
    )


def _points(values: tuple[float, ...]) -> Iterator[str]:
    for index, value in enumerate(values):
        yield f"{100 * index / max(len(values) - 1, 1):.2f},{100 * (1 - value):.2f}"


def _safe(text: str) -> str:
    return html.escape(harmless(text))
