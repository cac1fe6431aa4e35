"""What TensorBoard is given: the names of its curves, and figures that its pages can show."""

from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from nsmc.training import fonts
from nsmc.training.charts import confusion_matrix_figure, pixels
from nsmc.training.fonts import DEFAULT, drawable, families
from nsmc.training.tensorboard import Curves, curve_name


def test_the_loss_curves_come_first_and_train_and_validation_lie_side_by_side(
    tmp_path: Path,
) -> None:
    logged = [
        *("train/loss_step", "train/loss_epoch", "train/accuracy", "train/learning_rate"),
        *("val/loss", "val/accuracy", "train/reviews_per_second", "epoch"),
    ]
    logger = Curves(str(tmp_path))
    logger.log_metrics(dict.fromkeys(logged, 0.5), step=3)
    logger.save()
    logger.finalize("success")
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    assert sorted(events.Tags()["scalars"]) == [
        *("loss/train", "loss/val", "loss/within_epoch"),
        *("metrics/accuracy_train", "metrics/accuracy_val"),
        *("optimization/learning_rate", "optimization/reviews_per_second"),
    ]
    assert [(event.step, event.value) for event in events.Scalars("loss/val")] == [(3, 0.5)]
    assert [path.name.split(".")[0] for path in tmp_path.iterdir()] == ["events"]
    assert curve_name("result/val/accuracy") == "result/val/accuracy"


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
