"""Steps that are measured together: the same metrics and points as one by one."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import pytorch_lightning as L
import torch
from pytorch_lightning.loggers import Logger

from nsmc.data.datamodule import ReviewDataModule
from nsmc.training.early_stopping import StepLimit
from nsmc.training.module import SentimentModule
from nsmc.training.progress import ProgressBar, TrainingProgress
from tests.training.conftest import expected_warnings

pytestmark = expected_warnings

NewModule = Callable[..., SentimentModule]
NewTrainer = Callable[..., L.Trainer]
METRICS = ("train/loss", "train/accuracy", "train/macro_f1", "train/f1", "train/auroc")


class Points(Logger):
    """Keeps what it gets, by the step."""

    name, version = "points", 0

    def __init__(self) -> None:
        super().__init__()
        self.losses: dict[int, float] = {}

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        if "train/loss_step" in metrics:
            assert step is not None
            self.losses[step + 1] = metrics["train/loss_step"]

    def log_hyperparams(self, *_: Any, **__: Any) -> None: ...


class Epochs(L.Callback):
    """Keeps what callbacks see of each epoch at its end, and each step's loss and reviews."""

    def __init__(self) -> None:
        self.seen: list[dict[str, float]] = []
        self.steps: list[tuple[float, int]] = []

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        loss = float(outputs["loss"]) * trainer.accumulate_grad_batches
        self.steps.append((loss, len(batch.labels)))

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.seen.append({name: float(trainer.callback_metrics[name]) for name in METRICS})

    def mean(self, start: int, stop: int) -> float:
        """The mean loss of the reviews of these batches, from 0."""
        steps = self.steps[start:stop]
        return sum(loss * count for loss, count in steps) / sum(count for _, count in steps)


@pytest.fixture
def fit(
    new_module: NewModule, new_trainer: NewTrainer, datamodule: ReviewDataModule
) -> Callable[..., tuple[Epochs, Points]]:
    """Trains for two epochs of six batches with these arguments of the Trainer."""

    def run(*callbacks: L.Callback, most_kept: int = 100, **changes: Any) -> tuple[Epochs, Points]:
        torch.manual_seed(0)
        epochs, points, module = Epochs(), Points(), new_module()
        module.most_kept = most_kept
        trainer = new_trainer(*callbacks, epochs, logger=points, max_epochs=2, **changes)
        trainer.fit(module, datamodule=datamodule)
        return epochs, points

    return run


@pytest.mark.parametrize("together", [2, 3, 4, 6, 7, 1000])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"val_check_interval": 4},
        {"val_check_interval": 5, "check_val_every_n_epoch": None},
        {"accumulate_grad_batches": 4},
        {"limit_train_batches": 5},
        {"max_steps": 8},
    ],
)
def test_epochs_have_the_metrics_of_steps_that_are_measured_one_by_one(
    fit: Callable[..., tuple[Epochs, Points]], changes: dict[str, Any], together: int
) -> None:
    alone, _ = fit(StepLimit(), log_every_n_steps=1, **changes)
    epochs, _ = fit(StepLimit(), log_every_n_steps=together, **changes)
    assert len(epochs.seen) == 2
    assert epochs.seen == [pytest.approx(expected, abs=1e-6) for expected in alone.seen]


@pytest.mark.parametrize("together", [1, 4, 5, 1000])
@pytest.mark.parametrize("most_kept", [1, 3, 100])
def test_a_point_of_the_curve_is_the_loss_of_its_step(
    fit: Callable[..., tuple[Epochs, Points]], together: int, most_kept: int
) -> None:
    epochs, points = fit(log_every_n_steps=together, most_kept=most_kept)
    losses = {step: loss for step, (loss, _) in enumerate(epochs.steps, start=1)}
    assert points.losses == {
        step: pytest.approx(losses[step], abs=1e-6) for step in losses if step % together == 0
    }


def test_each_step_has_a_point_of_its_own_while_training_is_about_to_stop(
    fit: Callable[..., tuple[Epochs, Points]],
) -> None:
    class Stop(L.Callback):
        def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
            trainer.should_stop = True

    epochs, points = fit(Stop(), log_every_n_steps=5, min_steps=9)
    losses = [loss for loss, _ in epochs.steps]
    assert [points.losses[step] for step in range(2, 9)] == pytest.approx(losses[1:8], abs=1e-6)


def test_logits_of_many_labels_are_not_kept(new_module: NewModule) -> None:
    assert [new_module(label_count=count).most_kept for count in (2, 30, 10_000)] == [750, 50, 1]


def test_callbacks_find_what_the_step_has_measured_where_each_is_measured_alone(
    fit: Callable[..., tuple[Epochs, Points]],
) -> None:
    seen = []

    class Reads(L.Callback):
        def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
            seen.append(float(trainer.callback_metrics["train/loss_step"]))

    epochs, _ = fit(Reads(), most_kept=1, log_every_n_steps=1000)
    assert seen == pytest.approx([loss for loss, _ in epochs.steps], abs=1e-6)


class Stops(L.Callback):
    """Fails in the second step."""

    def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        if trainer.global_step == 2:
            raise InterruptedError


def test_a_second_fit_does_not_measure_what_an_interrupted_one_kept(
    new_module: NewModule, new_trainer: NewTrainer, datamodule: ReviewDataModule
) -> None:
    module, epochs = new_module(), Epochs()
    with pytest.raises(InterruptedError):
        new_trainer(Stops()).fit(module, datamodule=datamodule)
    new_trainer(epochs).fit(module, datamodule=datamodule)
    assert epochs.seen[0]["train/loss"] == pytest.approx(epochs.mean(0, 6), abs=1e-6)


def test_the_loss_that_is_shown_is_not_divided_among_batches_of_a_step(
    fit: Callable[..., tuple[Epochs, Points]],
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level("INFO")
    callbacks = (TrainingProgress(log_interval_seconds=0.0), ProgressBar("val/accuracy"))
    epochs, _ = fit(*callbacks, accumulate_grad_batches=3, enable_progress_bar=True)
    first, last = epochs.steps[0][0], epochs.steps[-1][0]
    assert math.log(2) / 2 < last  # a third of it would be less
    assert f"epoch 1/2, 17% done: loss {first:.4f}" in caplog.text
    assert f"loss={last:.4f}" in capsys.readouterr().out
