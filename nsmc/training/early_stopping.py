"""The callback that ends a training whose monitored metric no longer improves."""

from typing import Any

import pytorch_lightning as L
from pytorch_lightning import callbacks

from nsmc.training.checkpoint_state import check_state, is_count, is_score


class EarlyStopping(callbacks.EarlyStopping):
    """Lightning's, with the settings and the patience of the run that it is in.

    A run that goes on from `own_checkpoint` has waited as long as it had then; one that starts from
    another run's has not waited at all, but improves only where it beats that run's best. A run
    that had stopped early trains no more. (The name is Lightning's: it is in checkpoints.)
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
