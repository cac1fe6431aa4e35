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
    validation or the epoch's end; after `most_kept` steps in any case, as what is kept takes
    memory. With 1, a step is measured before its callbacks run, so that they find its metrics.
    """

    most_kept = 1_000

    def __init__(self) -> None:
        super().__init__()
        self._kept = list[tuple[Tensor, ...]]()

    def keep(self, *tensors: Tensor) -> None:
        """Keep tensors of a step, each with a row for each review, or each loss."""
        self._kept.append(tuple(tensor.detach() for tensor in tensors))
        if self.most_kept == 1:
            self.measure_kept()

    def measure(self, *tensors: Tensor) -> None:
        """Update the metrics with these rows, and log them; the step's values are theirs."""
        raise NotImplementedError

    def measure_kept(self) -> None:
        """Measure the steps that were kept: the last one by itself, as the curve shows it."""
        for steps in (self._kept[:-1], self._kept[-1:]):
            if steps:
                self.measure(*(torch.cat(column) for column in zip(*steps, strict=True)))
        self._kept.clear()

    def on_train_start(self) -> None:
        self._kept.clear()  # of a fit that was interrupted

    # Not at the epoch's end, where callbacks read the metrics before the module has its turn.
    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        # Each of these is the same on all processes, which wait for each other where they measure.
        trainer = self.trainer
        is_due = trainer.global_step % trainer.log_every_n_steps == 0  # type: ignore[attr-defined]
        is_full = len(self._kept) >= self.most_kept
        # Once training is to stop, Lightning logs each step until it may.
        if is_due or is_full or trainer.should_stop or is_validated_after(trainer, batch_idx):
            self.measure_kept()
