"""The charts of a validation: when they are drawn, names in letters of a font, worst answers."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from nsmc.training import fonts
from nsmc.training.charts import (
    ValidationCharts,
    confusion_matrix_figure,
    hardest_reviews,
    pixels,
)
from nsmc.training.fonts import DEFAULT, drawable, families
from nsmc.training.reliability import reliability_figure


@pytest.fixture
def no_hangul(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without a font that has Hangul."""
    monkeypatch.setattr(fonts, "_hangul", lambda: None)


def figure_of(names: tuple[str, ...]) -> Figure:
    """Of reviews of which each has another label, and is answered with it."""
    return confusion_matrix_figure(np.eye(len(names)), np.arange(len(names)), names)


def tick_labels(names: tuple[str, ...]) -> list[str]:
    figure = figure_of(names)
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


def test_long_names_are_cut_and_what_looks_like_a_formula_is_text() -> None:
    names = ("$\\frac$", "a label whose name is a sentence", "c")
    assert tick_labels(names) == ["$\\frac$", "a label whose name …", "c"]


def test_of_many_labels_those_of_the_most_reviews_are_drawn_and_a_note_says_so() -> None:
    names = tuple(f"label {number}" for number in range(1000))
    labels = np.array([7, 7, 999, 999, *range(100, 128), 500])
    figure = confusion_matrix_figure(np.eye(1000)[labels], labels, names)
    axes = figure.axes[0]
    ticks = [tick.get_text() for tick in axes.get_xticklabels()]
    assert ticks == ["label 7", *(f"label {number}" for number in range(100, 128)), "label 999"]
    assert axes.get_xlabel() == "predicted\n30 of 1,000 labels"
    assert [text.get_text() for text in axes.texts] == ["100%"] * 30


def test_where_no_font_has_the_names_numbers_stand_for_them_and_a_note_says_so(
    no_hangul: None,
) -> None:
    assert "no font of this machine" in figure_of(("부정", "보통", "긍정")).axes[0].get_xlabel()


def test_a_figure_is_clear_where_nothing_is_drawn() -> None:
    figure = figure_of(("a", "b"))
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
    probabilities, labels = np.array([[0.25, 0.75], [0.1, 0.9], [0.5, 0.5]]), np.array([1, 0, 0])
    text = hardest_reviews(probabilities, labels, np.arange(3), ("bad", "good"), datamodule)
    assert text.splitlines()[2:] == [
        "1. **0.1000** bad: &#42;별로&#42; 정말",
        "1. **0.5000** bad: &#60;b&#62;",
        "1. **0.7500** good: 좋다",
    ]


def test_of_validations_that_follow_each_other_quickly_the_first_and_the_last_are_drawn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn: list[tuple[str, int]] = []
    logger = SimpleNamespace(
        log_image=lambda name, images, step: drawn.append((name, step)),
        log_text=lambda name, columns, data, step: drawn.append((name, step)),
    )
    corpus = SimpleNamespace(
        labels=("bad", "good"),
        tokenizer=lambda: SimpleNamespace(decode=lambda ids: "a"),
        splits={"val": SimpleNamespace(review=lambda row: np.array([row]))},
    )
    trainer: Any = SimpleNamespace(
        sanity_checking=False,
        is_global_zero=True,
        global_step=0,
        loggers=[logger],
        datamodule=SimpleNamespace(corpus=corpus),
        state=SimpleNamespace(fn="fit"),
    )
    module: Any = SimpleNamespace(device=torch.device("cpu"))
    batch: Any = SimpleNamespace(labels=torch.tensor([0, 1]), rows=torch.tensor([0, 1]))
    outputs = {"probabilities": torch.tensor([[0.9, 0.1], [0.2, 0.8]])}
    callback = ValidationCharts()
    for step, second in [(1, 100.0), (2, 101.0), (3, 109.0), (4, 110.0), (5, 111.0), (6, 112.0)]:
        clock = SimpleNamespace(monotonic=lambda now=second: now)
        monkeypatch.setattr("nsmc.training.charts.time", clock)
        trainer.global_step = step
        callback.on_validation_epoch_start(trainer, module)
        callback.on_validation_batch_end(trainer, module, outputs, batch)
        callback.on_validation_epoch_end(trainer, module)
    callback.on_train_end(trainer, module)
    callback.on_train_end(trainer, module)  # nothing is drawn twice
    steps = [step for name, step in drawn if name == "val/confusion_matrix"]
    assert steps == [1, 4, 6]
    names = ("val/confusion_matrix", "val/reliability", "val/hardest_reviews")
    assert drawn == [(name, step) for step in steps for name in names]


def test_the_reliability_of_answers_is_drawn_bin_by_bin() -> None:
    confidence = np.array([0.55] * 10 + [0.95] * 20)
    probabilities = np.stack([1 - confidence, confidence], axis=1)
    labels = np.array([1, 0] * 5 + [1] * 18 + [0] * 2)
    figure = reliability_figure(probabilities, labels)
    above, below = figure.axes
    (_, line) = above.lines
    np.testing.assert_allclose(np.array(line.get_xydata()), [[0.55, 0.5], [0.95, 0.9]])
    assert above.get_title() == "calibration error 0.0500"
    bars = [(bar.get_center()[0], bar.get_height()) for bar in below.containers[0]]
    assert bars == [pytest.approx((8.5 / 15, 1 / 3)), pytest.approx((14.5 / 15, 2 / 3))]
