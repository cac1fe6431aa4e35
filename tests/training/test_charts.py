"""The charts of a validation: label names that a font can draw, and the worst answers first."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from nsmc.training import fonts
from nsmc.training.charts import confusion_matrix_figure, hardest_reviews, pixels
from nsmc.training.fonts import DEFAULT, drawable, families


@pytest.fixture
def no_hangul(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without a font that has Hangul."""
    monkeypatch.setattr(fonts, "_hangul", lambda: None)


def tick_labels(names: tuple[str, str]) -> list[str]:
    figure = confusion_matrix_figure(np.array([0.2, 0.9]), np.array([0, 1]), names)
    pixels(figure)  # a letter that the font lacks would be a warning, and so an error
    return [label.get_text() for label in figure.axes[0].get_xticklabels()]


def test_label_names_are_shown_where_a_font_has_their_letters(no_hangul: None) -> None:
    assert tick_labels(("negative", "é")) == ["negative", "é"]
    assert tick_labels(("부정", "긍정")) == ["0", "1"]
    assert (drawable("좋다 ok"), families("좋다")) == ("?? ok", [DEFAULT])


def test_a_font_of_the_machine_helps_with_hangul() -> None:
    if fonts._hangul() is None:
        pytest.skip("no font with Hangul is installed")
    assert tick_labels(("부정", "긍정")) == ["부정", "긍정"]
    assert drawable("좋다 \ud800") == "좋다 ?"


def test_a_figure_is_clear_where_nothing_is_drawn() -> None:
    figure = confusion_matrix_figure(np.array([0.2, 0.9]), np.array([0, 1]), ("a", "b"))
    image = pixels(figure)
    assert image.shape == (540, 630, 4) and image.dtype == np.uint8
    assert image[0, 0, 3] == 0 and image[270, 315, 3] == 255


def test_the_reviews_whose_true_label_got_the_least_come_first_without_their_markup() -> None:
    texts = ["좋다", "*별로*\n정말", "<b>"]
    reviews = SimpleNamespace(review=lambda row: np.array([row]))
    corpus = SimpleNamespace(
        tokenizer=lambda: SimpleNamespace(decode=lambda ids: texts[ids[0]]),
        splits={"val": reviews},
    )
    datamodule: Any = SimpleNamespace(corpus=corpus)
    probabilities, labels = np.array([0.75, 0.9, 0.5]), np.array([1, 0, 0])
    text = hardest_reviews(probabilities, labels, np.arange(3), ("bad", "good"), datamodule)
    assert text.splitlines()[2:] == [
        "1. **0.1000** bad: &#42;별로&#42; 정말",
        "1. **0.5000** bad: &#60;b&#62;",
        "1. **0.7500** good: 좋다",
    ]
