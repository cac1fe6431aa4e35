"""A moving average of the weights: validated, kept and exported instead of the last step.

Lightning's callback does the work. Here it drops the average when the fit is over: checkpoints hold
the average as the weights, and later validations and tests must measure just those.
"""

from typing import Any

import pytorch_lightning as L
from pytorch_lightning.callbacks import EMAWeightAveraging


class WeightAverage(EMAWeightAveraging):
    """Moves the average by 1 - `decay` towards the weights, every `every_n_steps`."""

    def __init__(self, decay: float, every_n_steps: int) -> None:
        super().__init__(decay=decay, update_every_n_steps=every_n_steps)

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        self._average_model = None

    def on_load_checkpoint(
        self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        if self._average_model is not None:
            super().on_load_checkpoint(trainer, pl_module, checkpoint)
