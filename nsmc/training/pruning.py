"""The callback that ends a run that is not worth going on with."""

from collections.abc import Callable

import pytorch_lightning as L

from nsmc.training.signals import Pruned


class Pruning(L.Callback):
    """Asks after each epoch but the last whether to go on; raises Pruned where not.

    `is_bad(value, epoch)` gets the monitored validation metric and the number of epochs, from 1.
    """

    def __init__(self, monitor: str, is_bad: Callable[[float, int], bool]) -> None:
        self.monitor = monitor
        self.is_bad = is_bad

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        epoch, value = trainer.current_epoch + 1, float(trainer.callback_metrics[self.monitor])
        is_bad = trainer.is_global_zero and self.is_bad(value, epoch)
        # All processes must leave together.
        if trainer.strategy.broadcast(is_bad) and epoch < (trainer.max_epochs or 0):
            raise Pruned(f"pruned after {epoch} epochs: {self.monitor} {value:.4f}")
