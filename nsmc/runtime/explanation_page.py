"""Explanations as one HTML page that needs nothing else, and runs nothing."""

import base64
import hashlib
import html
from collections.abc import Iterable, Iterator
from pathlib import Path
from string import Template

from nsmc.runtime.explanation import Explanation, Word
from nsmc.runtime.explanation_text import level
from nsmc.terminal import harmless

_HERE = Path(__file__)


def as_page(explanations: Iterable[Explanation]) -> str:
    """The page, complete."""
    style = _HERE.with_suffix(".css").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    template = Template(_HERE.with_suffix(".html").read_text("utf-8"))
    reviews = "\n".join(_section(explanation) for explanation in explanations)
    return template.substitute(language="en", digest=digest, style=style, reviews=reviews)


def _section(explanation: Explanation) -> str:
    words = explanation.words
    shown = " ".join(_marked(word, level(word, words)) for word in words)
    if not explanation.is_whole:
        shown += ' <span class="unread">… (not read)</span>'
    rows = "".join(_row(word) for word in words)
    return (
        f"<section><h2>{_safe(explanation.label)} {explanation.probability:.4f}</h2>\n"
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
