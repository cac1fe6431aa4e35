"""A moving average of the weights: validated, kept and exported instead of the last step.

Lightning's callback does the work. Here it drops the average when the fit is over: checkpoints hold
the average as the weights, and later validations and tests must measure just those.
"""

import math
from typing import Any

import pytorch_lightning as L
import torch
from pytorch_lightning.callbacks import WeightAveraging
from torch import Tensor


class WeightAverage(WeightAveraging):
    """Averages those of every `every_n_steps`-th step, each weighted `decay` times the next one's.

    Until the first of these, the newest weights stand for the average. The averaged ones are
    divided by the sum of their weights, as Adam corrects its averages (Kingma and Ba 2014,
    https://arxiv.org/abs/1412.6980): a run of few steps would else keep what it began with.
    """

    def __init__(self, decay: float, every_n_steps: int) -> None:
        def updated(average: Tensor, weight: Tensor, count: Tensor) -> Tensor:
            if not weight.is_floating_point():  # a buffer that counts
                return weight
            # expm1 is exact where the decay is nearly 1, and on a GPU nothing has to wait for it.
            share = (decay - 1) / torch.expm1((count + 1) * math.log(decay))
            return average + share * (weight - average)

        super().__init__(avg_fn=updated)
        self._every_n_steps = every_n_steps

    def should_update(self, step_idx: int | None = None, epoch_idx: int | None = None) -> bool:
        if step_idx is None:
            return False
        steps = step_idx + 1
        return steps % self._every_n_steps == 0 or steps < self._every_n_steps

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
        if trainer.global_step < self._every_n_steps and self._average_model is not None:
            self._average_model.n_averaged.zero_()  # the next weights take the place of these

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        self._average_model = None

    def on_load_checkpoint(
        self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        if self._average_model is not None:
            super().on_load_checkpoint(trainer, pl_module, checkpoint)
