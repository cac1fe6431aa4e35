"""What is measured: mean losses and classification metrics, over the reviews of all processes."""

import math
from collections.abc import Mapping

import pytorch_lightning as L
import torch
from pytorch_lightning.trainer.states import TrainerFn
from torch import Tensor
from torchmetrics import Metric, MetricCollection
from torchmetrics.classification import BinaryAccuracy, BinaryAUROC, BinaryF1Score
from torchmetrics.utilities import dim_zero_cat


def is_after_fit(trainer: L.Trainer | None) -> bool:
    """Whether the best epoch is measured again, for HPARAMS: the curves end with the last epoch."""
    return trainer is not None and trainer.state.fn != TrainerFn.FITTING


def defined(values: Mapping[str, Tensor], *prefixes: str) -> dict[str, float]:
    """Those values, rounded, whose names begin with a prefix and that are defined."""
    floats = {name: float(value) for name, value in values.items() if name.startswith(prefixes)}
    return {name: round(value, 6) for name, value in floats.items() if math.isfinite(value)}


class MeanLoss(Metric):
    """The mean of losses that are themselves means, each over `weight` reviews or tokens.

    Exact for any division among processes, unlike Lightning's own mean, which averages the weights
    of the processes as whole numbers. torchmetrics' MeanMetric drops the weights unless it looks
    for NaN, and would wait for a GPU at each step.
    """

    full_state_update = False

    total: Tensor
    weight: Tensor

    def __init__(self, *, synced_in_steps: bool = False) -> None:
        """With `synced_in_steps` a step's value, too, is that of all processes."""
        super().__init__(dist_sync_on_step=synced_in_steps)
        for name in ("total", "weight"):
            self.add_state(name, torch.tensor(0.0), dist_reduce_fx="sum")

    def update(self, loss: Tensor, weight: Tensor | int) -> None:
        self.total = self.total + loss.detach() * weight
        self.weight = self.weight + weight

    def compute(self) -> Tensor:
        return self.total / self.weight


class AreaUnderROC(BinaryAUROC):
    """NaN where all reviews have one label: there is no such area, while torchmetrics says 0."""

    def compute(self) -> Tensor:  # type: ignore[override]  # as BinaryAUROC itself has it
        labels = dim_zero_cat(self.target)
        return super().compute() if labels.min() < labels.max() else torch.tensor(torch.nan)


def classification_metrics(stage: str) -> MetricCollection:
    """`stage`/accuracy, f1 and auroc, the area under the ROC curve; NaN where undefined."""
    # Probabilities and labels are ours, so checking them again at each step is a waste.
    return MetricCollection(
        {
            "accuracy": BinaryAccuracy(validate_args=False),
            "f1": BinaryF1Score(validate_args=False, zero_division=torch.nan),
            "auroc": AreaUnderROC(validate_args=False),
        },
        prefix=f"{stage}/",
    )
