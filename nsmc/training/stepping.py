"""Training steps whose measuring waits for the next point of the loss curve.

Metrics and the log take a millisecond and more of the processor, as long as the step of a tiny
network. A GPU computes nothing meanwhile, and would be waited for besides.
"""

from typing import Any

import pytorch_lightning as L
import torch
from torch import Tensor

from nsmc.training.epochs import is_validated_after


class SteppingModule(L.LightningModule):
    """A LightningModule whose subclass keeps what it will measure of each step.

    `measure` gets it every `log_every_n_steps` of the Trainer, and no later than before a
    validation or the epoch's end: the point of the curve is the mean of the steps since then. After
    `most_kept` steps it gets it in any case, as what is kept takes memory.
    """

    most_kept = 1_000

    def __init__(self) -> None:
        super().__init__()
        self._kept = list[tuple[Tensor, ...]]()

    def keep(self, *tensors: Tensor) -> None:
        """Keep tensors of a step, each with a row for each review, or each loss."""
        self._kept.append(tuple(tensor.detach() for tensor in tensors))

    def measure(self, *tensors: Tensor) -> None:
        """Update the metrics with all rows of the steps that were kept, and log them."""
        raise NotImplementedError

    def measure_kept(self) -> None:
        """Measure the steps that were kept, at least one, together."""
        columns = [torch.cat(column) for column in zip(*self._kept, strict=True)]
        self._kept.clear()
        self.measure(*columns)

    def on_train_start(self) -> None:
        self._kept.clear()  # of a fit that was interrupted

    # Not in a hook of the epoch's end, as those of callbacks, which read the metrics, come before.
    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        # The same on all processes, which wait for each other where they measure.
        is_due = self.trainer.global_step % self.trainer.log_every_n_steps == 0  # type: ignore[attr-defined]
        is_full = len(self._kept) >= self.most_kept
        if is_due or is_full or is_validated_after(self.trainer, batch_idx):
            self.measure_kept()
