"""The optimizer and the learning rate's schedule, for every module that is trained."""

from dataclasses import dataclass

import pytorch_lightning as L
import torch
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, OneCycleLR

from nsmc.training.starting import weights_alone

OPTIMIZERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


@dataclass(frozen=True)
class Optimization:
    """`optimizer` is adam or adamw.

    `schedule` is constant, one_cycle (Smith and Topin 2018, https://arxiv.org/abs/1708.07120; `lr`
    is its peak) or cosine (from `lr` down to 0).
    """

    optimizer: str
    lr: float
    weight_decay: float
    schedule: str

    def configure(self, module: L.LightningModule) -> OptimizerLRScheduler:
        """For a module's `configure_optimizers`."""
        # Fused steps are fastest, but Lightning cannot clip gradients under mixed precision then.
        fused = True if module.trainer.precision == "32-true" else None
        optimizer = OPTIMIZERS[self.optimizer](
            module.parameters(), lr=self.lr, weight_decay=self.weight_decay, fused=fused
        )
        if self.schedule == "constant":
            return optimizer
        steps = int(module.trainer.estimated_stepping_batches)
        scheduler: LRScheduler
        if self.schedule == "one_cycle":
            scheduler = OneCycleLR(optimizer, max_lr=self.lr, total_steps=steps)
        else:
            scheduler = CosineAnnealingLR(optimizer, T_max=steps)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }

    def check_planned_steps(self, module: L.LightningModule) -> None:
        """Raises ValueError where a resumed schedule was planned for another number of steps."""
        scheduler = module.lr_schedulers()
        if scheduler is None:
            return
        planned = getattr(scheduler, "total_steps", None) or getattr(scheduler, "T_max", None)
        steps = int(module.trainer.estimated_stepping_batches)
        if planned != steps:
            raise ValueError(
                f"the checkpoint's {self.schedule} schedule was planned for {planned} steps, this "
                f"run has {steps}: keep trainer.max_epochs and the batches as they were, or "
                f"{weights_alone(str(module.trainer.ckpt_path))}"
            )
