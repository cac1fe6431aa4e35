"""A moving average of the weights: validated, kept and exported instead of the last step.

Lightning's callback does the work. Here it drops the average when the fit is over: checkpoints hold
the average as the weights, and later validations and tests must measure just those.
"""

from typing import Any

import pytorch_lightning as L
from pytorch_lightning.callbacks import WeightAveraging
from torch import Tensor


class WeightAverage(WeightAveraging):
    """Averages the weights of every `every_n_steps`-th step, each counting `decay` times the next.

    They are divided by what they count together, as Adam corrects its averages (Kingma and Ba 2014,
    https://arxiv.org/abs/1412.6980): a run of few steps would else keep what it began with.
    """

    def __init__(self, decay: float, every_n_steps: int) -> None:
        def moved(average: Tensor, weight: Tensor, count: Tensor) -> Tensor:
            share = (1 - decay) / (1 - decay ** (float(count) + 1))
            return average + share * (weight - average)

        super().__init__(avg_fn=moved)
        self._every_n_steps = every_n_steps

    def should_update(self, step_idx: int | None = None, epoch_idx: int | None = None) -> bool:
        return step_idx is not None and step_idx % self._every_n_steps == 0

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        self._average_model = None

    def on_load_checkpoint(
        self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        if self._average_model is not None:
            super().on_load_checkpoint(trainer, pl_module, checkpoint)
