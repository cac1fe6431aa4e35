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
    (reviews per second over all processes, without validation). `reviews` and `seconds` add up over
    the fit. Raises ValueError when the loss is no longer a number.
    """

    def __init__(self, seconds_between_lines: float | None) -> None:
        self.seconds_between_lines = seconds_between_lines
        self.reviews = 0
        self.seconds = 0.0
        self._epoch_reviews = 0
        self._epoch_start = 0.0
        self._last_step_end = 0.0
        self._last_line = 0.0
        self._window = (0, 0.0)  # reviews and time when throughput was last logged

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        now = time.perf_counter()
        self._epoch_reviews = 0
        self._epoch_start = self._last_step_end = self._last_line = now
        self._window = (0, now)

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
    ) -> None:
        now = self._last_step_end = time.perf_counter()
        self._epoch_reviews += len(batch.labels) * trainer.world_size
        if trainer.global_step % trainer.log_every_n_steps == 0:  # type: ignore[attr-defined]
            self._log_rates(trainer, now)
            loss = float(outputs["loss"])
            if not math.isfinite(loss):
                raise ValueError(
                    f"training diverged: the loss is {loss} at step {trainer.global_step}; "
                    "lower model.lr or set trainer.gradient_clip_val"
                )
        wait = self.seconds_between_lines
        if wait is not None and now - self._last_line >= wait:
            self._last_line = now
            share = (batch_idx + 1) / trainer.num_training_batches
            self._log_line(trainer, f"{share:.0%} of the epoch, loss {float(outputs['loss']):.4f}")

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.reviews += self._epoch_reviews
        self.seconds += self._last_step_end - self._epoch_start
        metrics = trainer.callback_metrics
        shown = [
            f"{split} loss {metrics[loss]:.4f} accuracy {metrics[f'{split}/accuracy']:.4f}"
            for split, loss in (("train", "train/loss_epoch"), ("val", "val/loss"))
            if loss in metrics
        ]
        if trainer.progress_bar_callback is not None and trainer.is_global_zero:
            print()  # end the bar's line
        self._log_line(trainer, ", ".join(shown))

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.should_stop and trainer.current_epoch < (trainer.max_epochs or 0):
            log.info("stopped early: the monitored metric no longer improves")

    def _log_rates(self, trainer: L.Trainer, now: float) -> None:
        reviews, since = self._window
        self._window = (self._epoch_reviews, now)
        rates = {
            "train/reviews_per_second": (self._epoch_reviews - reviews) / max(now - since, 1e-9),
            "train/learning_rate": trainer.optimizers[0].param_groups[0]["lr"],
        }
        for logger in trainer.loggers:
            logger.log_metrics(rates, step=trainer.global_step)

    def _log_line(self, trainer: L.Trainer, text: str) -> None:
        rate = self._epoch_reviews / max(self._last_step_end - self._epoch_start, 1e-9)
        epoch = f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"
        log.info("%s: %s, %s reviews/s", epoch, text, f"{rate:,.0f}")
