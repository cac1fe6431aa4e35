"""Callbacks that show training's progress: a line per epoch, reviews per second, divergence.

The progress bar is for terminals; in a log file a long epoch gets a line now and then instead.
"""

import logging
import math
import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import pytorch_lightning as L
from pytorch_lightning.callbacks import TQDMProgressBar
from pytorch_lightning.callbacks.progress.tqdm_progress import Tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from nsmc.training.checkpoint_state import check_state, is_count, is_history, is_number
from nsmc.training.epochs import is_validated_after
from nsmc.training.metrics import is_after_fit

log = logging.getLogger(__name__)

_REDRAWN_AFTER = 0.1  # seconds, in which the progress bar stays as it is


class ProgressBar(TQDMProgressBar):
    """One bar at the bottom of a terminal: the loss, and the monitored metric as last validated.

    Whatever is logged meanwhile stands above it, and no finished bar stays.
    """

    BAR_FORMAT = "{l_bar}{bar}| {remaining} left{postfix}"

    def __init__(self, monitor: str) -> None:
        super().__init__()
        self.monitor = monitor
        self._loss: float | None = None
        self._last_value: float | None = None
        self._drawn_at = -math.inf
        self._logging = ExitStack()

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if logging.root.handlers:  # else nothing is to be logged
            self._logging.enter_context(logging_redirect_tqdm(tqdm_class=Tqdm))
        super().on_train_start(trainer, pl_module)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        super().on_train_end(trainer, pl_module)
        self._logging.close()

    def on_exception(
        self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException
    ) -> None:
        for bar in (self._train_progress_bar, self._val_progress_bar, self._test_progress_bar):
            if bar is not None:
                bar.close()
        self._logging.close()

    def on_train_epoch_start(self, trainer: L.Trainer, *_: Any) -> None:
        self.train_progress_bar.reset(trainer.num_training_batches)
        self.train_progress_bar.set_description(_epoch(trainer))

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        now = time.monotonic()
        # Not at each step: a GPU is waited for when its loss is read.
        if now - self._drawn_at >= _REDRAWN_AFTER or is_validated_after(trainer, batch_idx):
            self._drawn_at = now
            self._loss = step_loss(trainer, outputs)
            super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self.monitor in trainer.callback_metrics:
            self._last_value = float(trainer.callback_metrics[self.monitor])
        super().on_validation_end(trainer, pl_module)

    def get_metrics(
        self, trainer: L.Trainer, pl_module: L.LightningModule
    ) -> dict[str, int | str | float | dict[str, float]]:
        shown = {"loss": self._loss, self.monitor: self._last_value}
        return {name: f"{value:.4f}" for name, value in shown.items() if value is not None}

    def init_train_tqdm(self) -> Tqdm:
        return _without_trace(super().init_train_tqdm())

    def init_validation_tqdm(self) -> Tqdm:
        return _without_trace(super().init_validation_tqdm())

    def init_test_tqdm(self) -> Tqdm:
        return _without_trace(super().init_test_tqdm())

    # Lightning's next two also number the data loaders.

    def on_validation_batch_start(self, *args: Any, dataloader_idx: int = 0) -> None:
        if self.has_dataloader_changed(dataloader_idx):
            self.val_progress_bar.reset(self.total_val_batches_current_dataloader)

    def on_test_batch_start(self, *args: Any, dataloader_idx: int = 0) -> None:
        if self.has_dataloader_changed(dataloader_idx):
            self.test_progress_bar.reset(self.total_test_batches_current_dataloader)


def _without_trace(bar: Tqdm) -> Tqdm:
    bar.leave = False
    return bar


class TrainingProgress(L.Callback):
    """Logs a line per epoch, and within an epoch every `log_interval_seconds` (None: never).

    Every `log_every_n_steps` of the Trainer, the loggers get the learning rate and the throughput
    (reviews per second over all processes, without validation). `reviews` and `seconds` of training
    add up over the fit, `history` has the metrics of each epoch; they go into checkpoints, so that
    a resumed run counts all its parts. Raises ValueError when the loss is no longer a number.
    """

    def __init__(self, log_interval_seconds: float | None) -> None:
        self.log_interval_seconds = log_interval_seconds
        self.reviews = 0
        self.seconds = 0.0
        self.seconds_before = 0.0  # of them, those of earlier parts of a resumed run
        self.history: list[dict[str, float]] = []
        self.has_stepped = False  # in this part of the run
        self._last_step_end = 0.0
        self._last_line = 0.0
        self._validated: dict[str, float] = {}  # the epoch's metrics, as last validated
        self._validated_step = 0  # 0 before any
        self._last_rates = 0  # the step that the loggers last got rates of
        self._epoch = (0, 0.0)  # reviews and seconds when the epoch, or this part of it, began
        self._window = (0, 0.0)  # the same when throughput was last logged

    def state_dict(self) -> dict[str, Any]:
        return {
            "reviews": self.reviews,
            "seconds": self.seconds,
            "history": self.history,
            "validated": self._validated,
            "validated_step": self._validated_step,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        checks = {"reviews": is_count, "seconds": is_number, "history": is_history}
        check_state("TrainingProgress", state_dict, **checks)
        self.reviews = state_dict["reviews"]
        self.seconds = self.seconds_before = state_dict["seconds"]
        self.history = list(state_dict["history"])
        validated = state_dict.get("validated", {})  # earlier versions validated at an epoch's end
        check_state("TrainingProgress", {"validated": [validated]}, validated=is_history)
        self._validated = dict(validated)
        step = state_dict.get("validated_step", 0)
        check_state("TrainingProgress", {"validated_step": step}, validated_step=is_count)
        self._validated_step = step

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._last_step_end = self._last_line = time.perf_counter()
        self._epoch = self._window = (self.reviews, self.seconds)

    # A run that is resumed within an epoch starts none.
    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._validated = {}
        self.on_train_start(trainer, pl_module)

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        now = time.perf_counter()
        self.has_stepped = True
        self.seconds += now - self._last_step_end
        self.reviews += int(trainer.train_dataloader.sampler.step_sizes[batch_idx])  # type: ignore[union-attr]
        self._last_step_end = now
        is_due = trainer.global_step % trainer.log_every_n_steps == 0  # type: ignore[attr-defined]
        if is_due and self._last_rates != trainer.global_step:  # several batches may make a step
            self._last_rates = trainer.global_step
            self._log_rates(trainer)
            self._check_loss(step_loss(trainer, outputs), trainer.global_step)
        wait = self.log_interval_seconds
        if wait is not None and now - self._last_line >= wait:
            self._last_line = now
            share, rate = (batch_idx + 1) / trainer.num_training_batches, self._rate(self._epoch)
            log.info(
                f"{_epoch(trainer)}, {share:.0%} done: loss {step_loss(trainer, outputs):.4f}, "
                f"{rate:,.0f} reviews/s"
            )

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if is_after_fit(trainer) or trainer.sanity_checking:
            return
        measured = trainer.callback_metrics.items()
        self._validated = {k: float(value) for k, value in measured if k.startswith("val/")}
        self._validated_step = trainer.global_step
        self._last_step_end = time.perf_counter()

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        metrics = {
            name.removesuffix("_epoch"): float(value)
            for name, value in trainer.callback_metrics.items()
            if name not in ("train/loss_step", "train/loss") and not name.startswith("val/")
        }
        metrics |= self._validated  # the Trainer also has those of an epoch before
        self._check_loss(metrics["train/loss"], trainer.global_step)
        finite = {name: value for name, value in metrics.items() if math.isfinite(value)}
        self.history.append(
            {"epoch": trainer.current_epoch + 1, "step": trainer.global_step, **finite}
        )
        # Short enough for a terminal's 80 characters.
        shown = [name for name in ("train/loss", "val/loss", "val/accuracy") if name in metrics]
        described = ", ".join(f"{name.replace('/', ' ')} {metrics[name]:.4f}" for name in shown)
        log.info("%s: %s", _epoch(trainer), described)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        unseen = trainer.global_step - self._validated_step
        if self._validated_step and unseen:
            log.info(
                "no validation followed the last %s of %s steps: what is exported is from before",
                *(f"{unseen:,}", f"{trainer.global_step:,}"),
            )

    def _check_loss(self, loss: float, step: int) -> None:
        if not math.isfinite(loss):
            raise ValueError(
                f"training diverged: the loss is {loss} at step {step}; lower model.lr or set "
                "trainer.gradient_clip_val"
            )

    def _log_rates(self, trainer: L.Trainer) -> None:
        rates = {
            "train/reviews_per_second": self._rate(self._window),
            "train/learning_rate": trainer.optimizers[0].param_groups[0]["lr"],
        }
        self._window = (self.reviews, self.seconds)
        for logger in trainer.loggers:
            logger.log_metrics(rates, step=trainer.global_step)

    def _rate(self, start: tuple[int, float]) -> float:
        """Reviews per second since `start`: `reviews` and `seconds` as they were then."""
        return (self.reviews - start[0]) / max(self.seconds - start[1], 1e-9)


def step_loss(trainer: L.Trainer, outputs: Mapping[str, Any]) -> float:
    """What a step minimised; Lightning divides it among the batches that make a step."""
    return float(outputs["loss"]) * trainer.accumulate_grad_batches


def _epoch(trainer: L.Trainer) -> str:
    is_endless = trainer.max_epochs == -1
    return f"epoch {trainer.current_epoch + 1}{'' if is_endless else f'/{trainer.max_epochs}'}"
