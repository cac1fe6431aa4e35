"""The optimizer and the learning rate's schedule, for every module that is trained."""

import inspect
from dataclasses import dataclass, replace
from typing import Any

import pytorch_lightning as L
import torch
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch.optim import Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, OneCycleLR, ReduceLROnPlateau

from nsmc.training.starting import MisfitError
from nsmc.training.targets import build, class_of

OPTIMIZERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


# What a schedule of the user's may say to Lightning, beside its class's own arguments.
_OF_LIGHTNING = ("interval", "frequency")

# What classes call the number of steps that a schedule is planned for.
_PLANNED = ("total_steps", "T_max", "num_training_steps")

_STEPS_TO_TRY = 1000  # that a schedule is planned for where it is only tried


@dataclass(frozen=True)
class Optimization:
    """`optimizer` is adam, adamw or a target (see targets.py), which gets `lr`, its own first.

    `schedule` is constant, one_cycle (Smith and Topin 2018, https://arxiv.org/abs/1708.07120; `lr`
    is its peak), cosine (from `lr` down to 0) or a target, which gets the optimizer and, where it
    takes it, the number of steps.
    """

    optimizer: str | dict[str, Any]
    lr: float
    weight_decay: float
    schedule: str | dict[str, Any]

    def configure(self, module: L.LightningModule) -> OptimizerLRScheduler:
        """For a module's `configure_optimizers`; raises ValueError for a target that fails."""
        # Fused steps are fastest, but Lightning cannot clip gradients under mixed precision then.
        fused = True if module.trainer.precision == "32-true" else None
        optimizer = self._optimizer([*module.parameters()], fused)
        if self.schedule == "constant":
            return optimizer
        how: dict[str, Any] = {"interval": "step"}
        if not isinstance(self.schedule, str):
            how |= {name: self.schedule[name] for name in _OF_LIGHTNING if name in self.schedule}
        steps = int(module.trainer.estimated_stepping_batches)
        scheduler = self._scheduler(optimizer, steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, **how}}  # type: ignore[return-value]

    def check(self) -> None:
        """Build both for a small weight; raises ValueError for a target that fails."""
        optimizer = self._optimizer([torch.nn.Parameter(torch.zeros(2, 2))], None)
        if self.schedule != "constant":
            self._scheduler(optimizer, _STEPS_TO_TRY)

    def _optimizer(self, parameters: list[torch.nn.Parameter], fused: bool | None) -> Optimizer:
        if not isinstance(self.optimizer, str):
            return build(self.optimizer, "model.optimizer", Optimizer, parameters, lr=self.lr)
        return OPTIMIZERS[self.optimizer](
            parameters, lr=self.lr, weight_decay=self.weight_decay, fused=fused
        )

    def _scheduler(self, optimizer: Optimizer, steps: int) -> LRScheduler:
        if self.schedule == "one_cycle":
            # It would move the momentum, too, which not every optimizer has.
            has_momentum = not {"momentum", "betas"}.isdisjoint(optimizer.defaults)
            return OneCycleLR(
                optimizer, max_lr=self.lr, total_steps=steps, cycle_momentum=has_momentum
            )
        if self.schedule == "cosine":
            return CosineAnnealingLR(optimizer, T_max=steps)
        assert not isinstance(self.schedule, str)
        spec = {k: value for k, value in self.schedule.items() if k not in _OF_LIGHTNING}
        taken = inspect.signature(class_of(spec, "model.schedule")).parameters
        planned = {name: steps for name in _PLANNED if name in taken}
        scheduler = build(spec, "model.schedule", LRScheduler, optimizer, **planned)
        if isinstance(scheduler, ReduceLROnPlateau):
            raise ValueError(
                "model.schedule: ReduceLROnPlateau moves after an epoch's checkpoint is written: "
                "a resumed run would end otherwise; take one that counts steps or epochs"
            )
        return scheduler

    def check_planned_steps(self, module: L.LightningModule) -> None:
        """Raises MisfitError where a resumed schedule was planned for another number of steps."""
        if not isinstance(self.schedule, str) or self.schedule == "constant":
            return
        scheduler = module.lr_schedulers()
        planned = getattr(scheduler, "total_steps", None) or getattr(scheduler, "T_max", None)
        steps = int(module.trainer.estimated_stepping_batches)
        if planned is not None and planned != steps:
            raise MisfitError(
                f"the checkpoint's {self.schedule} schedule was planned for {planned} steps, this "
                f"run has {steps}: keep trainer.max_epochs and the batches as they were"
            )


def _set_lr(module: Any, lr: float) -> None:
    module.optimization = replace(module.optimization, lr=lr)


# A module's attribute, by which Lightning's range test finds and sets the learning rate.
learning_rate = property(lambda module: module.optimization.lr, _set_lr)
