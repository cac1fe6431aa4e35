"""Callbacks that tell how training goes: a line per epoch, reviews per second, divergence.

The progress bar is for terminals; in a log file a long epoch gets a line now and then instead.
"""

import logging
import math
import time
from typing import Any

import pytorch_lightning as L
from pytorch_lightning.callbacks import TQDMProgressBar

from nsmc.data.batching import Batch

log = logging.getLogger(__name__)


class ProgressBar(TQDMProgressBar):
    """Lightning's bar with the loss alone."""

    def get_metrics(
        self, trainer: L.Trainer, pl_module: L.LightningModule
    ) -> dict[str, int | str | float | dict[str, float]]:
        metrics = super().get_metrics(trainer, pl_module)
        metrics.pop("v_num", None)  # the logger's version, which here is always the same
        return metrics


class TrainingProgress(L.Callback):
    """Logs a line per epoch, and within an epoch every `seconds_between_lines` (None: never).

    Every `log_every_n_steps` of the Trainer, the loggers get the learning rate and the throughput
    (reviews per second over all processes, without validation). `reviews` and `seconds` of training
    add up over the fit, `history` has the metrics of each epoch; they go into checkpoints, so that
    a resumed run's figures are those of all its parts. Raises ValueError when the loss is no longer
    a number.
    """

    def __init__(self, seconds_between_lines: float | None) -> None:
        self.seconds_between_lines = seconds_between_lines
        self.reviews = 0
        self.seconds = 0.0
        self.seconds_before = 0.0  # of which earlier parts of a resumed run took so many
        self.history: list[dict[str, float]] = []
        self._last_step_end = 0.0
        self._last_line = 0.0
        self._epoch = (0, 0.0)  # reviews and seconds when the epoch, or this part of it, began
        self._window = (0, 0.0)  # the same when throughput was last logged

    def state_dict(self) -> dict[str, Any]:
        return {"reviews": self.reviews, "seconds": self.seconds, "history": self.history}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.reviews = state_dict["reviews"]
        self.seconds = self.seconds_before = state_dict["seconds"]
        self.history = list(state_dict["history"])

    # A run that goes on within an epoch starts no epoch, so the clock starts here, too.
    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._start_clock()

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._start_clock()

    def _start_clock(self) -> None:
        self._last_step_end = self._last_line = time.perf_counter()
        self._epoch = self._window = (self.reviews, self.seconds)

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
    ) -> None:
        now = time.perf_counter()
        self.seconds += now - self._last_step_end
        self.reviews += int(trainer.train_dataloader.sampler.step_sizes[batch_idx])  # type: ignore[union-attr]
        self._last_step_end = now
        if trainer.global_step % trainer.log_every_n_steps == 0:  # type: ignore[attr-defined]
            self._log_rates(trainer)
            self._check_loss(float(outputs["loss"]), trainer.global_step)
        wait = self.seconds_between_lines
        if wait is not None and now - self._last_line >= wait:
            self._last_line = now
            share = (batch_idx + 1) / trainer.num_training_batches
            self._log_line(trainer, f"{share:.0%} of the epoch, loss {float(outputs['loss']):.4f}")

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        metrics = {
            name.removesuffix("_epoch"): float(value)
            for name, value in trainer.callback_metrics.items()
            if name != "train/loss_step" and name != "train/loss"
        }
        self._check_loss(metrics["train/loss"], trainer.global_step)
        self.history.append(
            {"epoch": trainer.current_epoch + 1, "step": trainer.global_step, **metrics}
        )
        losses = {split: metrics.get(f"{split}/loss") for split in ("train", "val")}
        shown = [
            f"{split} loss {loss:.4f}{_accuracy(metrics.get(f'{split}/accuracy'))}"
            for split, loss in losses.items()
            if loss is not None
        ]
        if trainer.progress_bar_callback is not None and trainer.is_global_zero:
            print()  # end the bar's line
        self._log_line(trainer, ", ".join(shown))

    def _check_loss(self, loss: float, step: int) -> None:
        if not math.isfinite(loss):
            raise ValueError(
                f"training diverged: the loss is {loss} at step {step}; lower model.lr or set "
                "trainer.gradient_clip_val"
            )

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.should_stop and trainer.current_epoch < (trainer.max_epochs or 0):
            log.info("stopped early: the monitored metric no longer improves")

    def _log_rates(self, trainer: L.Trainer) -> None:
        rates = {
            "train/reviews_per_second": self._rate_since(self._window),
            "train/learning_rate": trainer.optimizers[0].param_groups[0]["lr"],
        }
        self._window = (self.reviews, self.seconds)
        for logger in trainer.loggers:
            logger.log_metrics(rates, step=trainer.global_step)

    def _log_line(self, trainer: L.Trainer, text: str) -> None:
        epoch = f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"
        log.info("%s: %s, %s reviews/s", epoch, text, f"{self._rate_since(self._epoch):,.0f}")

    def _rate_since(self, start: tuple[int, float]) -> float:
        """Reviews per second since `start`, which has the reviews and the seconds of then."""
        return (self.reviews - start[0]) / max(self.seconds - start[1], 1e-9)


def _accuracy(value: float | None) -> str:
    return "" if value is None else f" accuracy {value:.4f}"
