"""The callback that makes a step's randomness depend on the seed and the step alone.

Dropout then draws the same numbers in a resumed run as in one that was not interrupted, whatever
else drew from the generators in between; no generator's state has to be kept.
"""

from typing import Any

import numpy as np
import pytorch_lightning as L
import torch


class StepSeed(L.Callback):
    """Seeds torch before each training step, differently on each process."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        part = [batch_idx] if trainer.accumulate_grad_batches > 1 else []  # of the same step
        seed_generators(step_seed(self.seed, trainer.global_step, trainer.global_rank, *part))


def seed_generators(seed: int) -> None:
    """As `torch.manual_seed`, which takes half a millisecond where no GPU is used yet."""
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.manual_seed(seed)
    if torch.xpu.is_initialized():  # type: ignore[no-untyped-call]
        torch.xpu.manual_seed(seed)
    if torch.backends.mps.is_available():
        torch.mps.manual_seed(seed)


def step_seed(seed: int, step: int, rank: int, *part: int) -> int:
    """A 64-bit seed; seeds, steps, ranks and parts that differ give unrelated ones."""
    return int(np.random.SeedSequence([seed, step, rank, *part]).generate_state(1, np.uint64)[0])
