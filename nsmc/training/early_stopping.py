"""The callbacks that end a training: no improvement, worse than others, all its steps."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

import pytorch_lightning as L
from pytorch_lightning import callbacks

from nsmc.training.checkpoint_state import check_state, is_count, is_score
from nsmc.training.signals import Pruned

log = logging.getLogger(__name__)


class EarlyStopping(callbacks.EarlyStopping):
    """Lightning's, whose name is in checkpoints, with the settings and patience of this run.

    A run that continues from `own_checkpoint` has waited as long as it had then; one that starts
    from another run's has not waited at all, but improves only where it beats that run's best. A
    run that had stopped early trains no more.
    """

    def __init__(self, monitor: str, *, own_checkpoint: str, **settings: Any) -> None:
        super().__init__(monitor, **settings)
        self.own_checkpoint = own_checkpoint

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        checks = {"wait_count": is_count, "stopped_epoch": is_count, "best_score": is_score}
        check_state("EarlyStopping", state_dict, **checks)
        super().load_state_dict({**state_dict, "patience": self.patience})

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.ckpt_path != self.own_checkpoint:
            self.wait_count = 0

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self.wait_count >= self.patience:
            trainer.should_stop = True

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self.wait_count >= self.patience:
            log.info("stopped early: the monitored metric no longer improves")


class OwnPatience(L.Callback):
    """Keeps the patience of Lightning's early stopping among the user's own callbacks.

    Lightning's restores that of the checkpoint, also in a run that is another one's successor.
    """

    def __init__(self, stoppings: Sequence[callbacks.EarlyStopping], own_checkpoint: str) -> None:
        self.patience = [(stopping, stopping.patience) for stopping in stoppings]
        self.own_checkpoint = own_checkpoint

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        for stopping, patience in self.patience:
            stopping.patience = patience
            if trainer.ckpt_path != self.own_checkpoint:
                stopping.wait_count = 0


class StepLimit(L.Callback):
    """Has the last step of `trainer.max_steps` validated, wherever in an epoch it is.

    It ends the training before `min_epochs` and `min_steps`, too.
    """

    def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        if trainer.global_step == trainer.max_steps:
            # Or Lightning would end the training all the same, but without the validation.
            trainer.fit_loop.min_epochs = trainer.fit_loop.epoch_loop.min_steps = None
            trainer.should_stop = True


class Pruning(L.Callback):
    """After each epoch but the last, raises Pruned where the run is not worth continuing.

    `is_bad(value, epoch)` gets the monitored validation metric and the number of epochs, from 1.
    """

    def __init__(self, monitor: str, is_bad: Callable[[float, int], bool]) -> None:
        self.monitor = monitor
        self.is_bad = is_bad

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self.monitor not in trainer.callback_metrics:  # no epoch was validated yet
            return
        epoch, value = trainer.current_epoch + 1, float(trainer.callback_metrics[self.monitor])
        is_bad = trainer.is_global_zero and self.is_bad(value, epoch)
        # All processes must leave together.
        if trainer.strategy.broadcast(is_bad) and epoch < (trainer.max_epochs or 0):
            raise Pruned(f"pruned after {epoch} epochs: {self.monitor} {value:.4f}")
