"""Draws explained reviews: their words in colour, and the answer's probability as they are read."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties

from nsmc.comparison.hardest import HardReview
from nsmc.runtime.explanation import Explanation
from nsmc.runtime.explanation_text import LEVELS, level
from nsmc.terminal import ellipsize
from nsmc.training.fonts import drawable, families

# In pixels, from the upper left corner.
_WIDTH, _TEXT_WIDTH, _MARGIN = 1100, 760, 16
_LINE, _GAP, _SPACE = 26, 14, 7

_DPI = 100
_SIZE = 11  # points
_MOST_LINES = 6  # of a review
_LONGEST_WORD = 40  # columns

_FOR, _AGAINST = (34 / 255, 160 / 255, 80 / 255), (220 / 255, 60 / 255, 60 / 255)
_STRONGEST = 0.6  # how opaque the colour of the word is that matters most
_CAPTION = (
    "Green words speak for the wrong answer, red ones against it; right: its probability while the "
    "review is read"
)


class _Placed(NamedTuple):
    text: str
    x: float
    line: int  # from 0
    strength: int  # from -LEVELS to LEVELS


def hardest_figure(reviews: Sequence[HardReview]) -> Figure:
    """A picture on white: black letters with a colour behind them are illegible on a dark page."""
    texts = [word.text for review in reviews for word in review.explanation.words]
    labels = [name for review in reviews for name in (review.label, review.explanation.label)]
    font = FontProperties(family=families("".join([*texts, *labels])), size=_SIZE)
    placed = [[*_placed(review.explanation, font)] for review in reviews]
    heights = [_LINE * (2 + max((word.line for word in words), default=0)) for words in placed]
    height = _MARGIN + _LINE + sum(heights) + _GAP * len(reviews)
    figure = Figure(figsize=(_WIDTH / _DPI, height / _DPI), dpi=_DPI, facecolor="white")
    canvas = _Canvas(figure, height, font)
    canvas.write(_MARGIN, _MARGIN, _CAPTION, color="#666666")
    top = float(_MARGIN + _LINE)
    for review, words, own in zip(reviews, placed, heights, strict=True):
        answer, label = drawable(review.explanation.label), drawable(review.label)
        heading = f"{answer} {review.explanation.probability:.4f}, labelled {label}"
        canvas.write(_MARGIN, top, heading, color="#666666")
        for word in words:
            canvas.write(word.x, top + _LINE * (1 + word.line), word.text, **_behind(word.strength))
        canvas.trace(top, own, review.explanation)
        top += own + _GAP
    return figure


def _placed(explanation: Explanation, font: FontProperties) -> Iterator[_Placed]:
    """The words in lines; those that would need too many lines are left out, for a "…"."""
    canvas: Any = FigureCanvasAgg(Figure(dpi=_DPI))
    measure, words = canvas.get_renderer().get_text_width_height_descent, explanation.words
    x, line = float(_MARGIN), 0
    shown = [(ellipsize(drawable(word.text), _LONGEST_WORD), level(word, words)) for word in words]
    for text, strength in [*shown, *([] if explanation.is_whole else [("…", 0)])]:
        width = measure(text, font, ismath=False)[0]
        if x > _MARGIN and x + width > _TEXT_WIDTH:
            x, line = float(_MARGIN), line + 1
        if line == _MOST_LINES - 1 and x + width > _TEXT_WIDTH / 2:
            yield _Placed("…", x, line, 0)
            return
        yield _Placed(text, x, line, strength)
        x += width + _SPACE


def _behind(strength: int) -> dict[str, Any]:
    """The style of a word that adds so much."""
    if not strength:
        return {}
    opacity = _STRONGEST * abs(strength) / LEVELS
    colour = (*(_FOR if strength > 0 else _AGAINST), opacity)
    return {"bbox": {"facecolor": colour, "edgecolor": "none", "pad": 2}}


class _Canvas:
    """A figure whose places are pixels from its upper left corner."""

    def __init__(self, figure: Figure, height: float, font: FontProperties) -> None:
        self._figure, self._height, self._font = figure, height, font

    def write(self, x: float, y: float, text: str, **style: Any) -> None:
        place = (x / _WIDTH, 1 - y / self._height)
        style |= {"fontproperties": self._font, "va": "top", "parse_math": False}
        self._figure.text(*place, text, **style)

    def trace(self, top: float, height: float, explanation: Explanation) -> None:
        """The probability of the answer while the review is read, right of its words."""
        left, width = _TEXT_WIDTH + 2 * _MARGIN, _WIDTH - _TEXT_WIDTH - 3 * _MARGIN
        bottom = 1 - (top + height) / self._height
        box = (left / _WIDTH, bottom, width / _WIDTH, height / self._height)
        axes = self._figure.add_axes(box)
        values = (explanation.start, *explanation.trace)
        axes.axhline(0.5, color="#bbbbbb", linestyle="--", linewidth=1)
        axes.plot(range(len(values)), values, color="#333333", linewidth=1.5)
        axes.set(ylim=(-0.03, 1.03), xticks=[], yticks=[0, 1])
        axes.tick_params(labelsize=7, color="#bbbbbb", labelcolor="#666666")
        axes.spines[:].set_color("#dddddd")
