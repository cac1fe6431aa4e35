"""The surest wrong answers as a picture and as Markdown, whatever their reviews are made of."""

import numpy as np
import pytest

from nsmc.comparison.hardest import HardReview
from nsmc.runtime.explanation import Explanation, Word
from nsmc.training import fonts
from nsmc.training.charts import pixels
from nsmc.training.hardest import as_markdown
from nsmc.training.hardest_figure import hardest_figure


def review(*words: tuple[str, float], is_whole: bool = True) -> HardReview:
    added = tuple(Word(text, 0.5, 0.5, weight) for text, weight in words)
    trace = tuple(np.linspace(0.4, 0.9, len(words)).tolist())
    return HardReview("good", Explanation("bad", 0.9, 0.4, added, trace, is_whole))


def test_words_that_matter_are_bold_and_say_what_they_add() -> None:
    shown = as_markdown(
        [
            review(("정말", 0.04), ("*최악*", 2.0), ("재미", -0.5)),
            review(("<b>", 1.0), is_whole=False),
        ]
    )
    assert shown.splitlines()[2:] == [
        "1. **0.9000** bad, labelled good: 정말 **&#42;최악&#42;** (+2.0) 재미 (-0.5)",
        "1. **0.9000** bad, labelled good: **&#60;b&#62;** (+1.0) …",
    ]


@pytest.mark.parametrize("has_hangul", [True, False])
def test_any_review_is_drawn(monkeypatch: pytest.MonkeyPatch, has_hangul: bool) -> None:
    if not has_hangul:
        monkeypatch.setattr(fonts, "_hangul", lambda: None)
    reviews = [
        review(("정말", 0.1), ("$최악$", 2.0), ("\\frac{", -2.0)),
        review(("😀\t\x07", 1.0), is_whole=False),
        review(("가" * 1000, 1.0), ("나", -1.0)),
        review(),
    ]
    image = pixels(hardest_figure(reviews))  # a letter that no font has would be an error
    greens, reds = (
        ((image[..., first] > image[..., second] + 60).sum()) for first, second in ((1, 0), (0, 1))
    )
    assert greens > 100 and reds > 100
    assert (image[..., 3] == 255).all()


def test_a_long_review_ends_with_an_ellipsis_within_the_picture() -> None:
    figure = hardest_figure([review(*[(f"word{number}", 0.1) for number in range(500)])])
    texts = [text.get_text() for text in figure.texts]
    assert texts[-1] == "…" and 20 < len(texts) < 100
    assert figure.get_figheight() < 3
    assert all(0 <= text.get_position()[0] < 0.75 for text in figure.texts)
