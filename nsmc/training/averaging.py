"""A moving average of the weights: what is validated, kept and exported in place of the last step.

Lightning's callback does the work. Here it lets go of the average when the fit is over: checkpoints
hold the average as the weights, and later validations and tests are to measure just those.
"""

from typing import Any

import pytorch_lightning as L
from pytorch_lightning.callbacks import EMAWeightAveraging


class WeightAverage(EMAWeightAveraging):
    """Moves the average by 1 - `decay` towards the weights, every so many steps."""

    def __init__(self, decay: float, every_n_steps: int) -> None:
        super().__init__(decay=decay, update_every_n_steps=every_n_steps)

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        self._average_model = None

    def on_load_checkpoint(
        self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        if self._average_model is not None:
            super().on_load_checkpoint(trainer, pl_module, checkpoint)
