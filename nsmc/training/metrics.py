"""What is measured: mean losses and classification metrics, over the reviews of all processes.

Legend: N reviews, C labels.
"""

import math
from collections.abc import Mapping

import pytorch_lightning as L
import torch
import torch.nn.functional as F
from pytorch_lightning.trainer.states import TrainerFn
from torch import Tensor
from torchmetrics import Metric, MetricCollection
from torchmetrics.classification import MulticlassAccuracy
from torchmetrics.functional.classification import binary_auroc
from torchmetrics.utilities import dim_zero_cat

from nsmc.runtime.coverage import CALIBRATION_BINS
from nsmc.runtime.metrics import f1_score

_MANY_LABELS = 30


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


class AreaUnderROC(Metric):
    """The area under the ROC curve of a label against the rest: the mean over the labels.

    Of two labels both have the same area. A label that no review has, or each, has none; where no
    label has one, the mean is NaN.
    """

    full_state_update = False

    scores: list[Tensor]
    labels: list[Tensor]

    def __init__(self, label_count: int) -> None:
        super().__init__()
        self.first = 1 if label_count == 2 else 0  # of the labels whose area is taken
        for name in ("scores", "labels"):
            self.add_state(name, [], dist_reduce_fx="cat")

    def update(self, probabilities: Tensor, labels: Tensor) -> None:
        self.scores.append(probabilities[:, self.first :])
        self.labels.append(labels)

    def compute(self) -> Tensor:
        scores, labels = dim_zero_cat(self.scores), dim_zero_cat(self.labels)
        areas = []
        for label, of_label in enumerate(scores.unbind(dim=1), start=self.first):
            has_label = labels == label
            if 0 < has_label.sum() < len(labels):
                areas.append(binary_auroc(of_label, has_label.long(), validate_args=False))
        return torch.stack(areas).mean() if areas else _undefined(scores)


class F1(Metric):
    """F1 of each label: the mean over those that reviews have or are answered with, else NaN.

    With `label` it is that of one. Counted label by label: a table of 10,000 would take 800 MB.
    """

    full_state_update = False

    hits: Tensor  # [C]
    of_both: Tensor  # [C]: reviews by true label, and by answer, together

    def __init__(self, label_count: int, label: int | None = None) -> None:
        super().__init__()
        self.label = label
        for name in ("hits", "of_both"):
            self.add_state(name, torch.zeros(label_count, dtype=torch.long), dist_reduce_fx="sum")

    def update(self, probabilities: Tensor, labels: Tensor) -> None:
        answers, once = probabilities.argmax(dim=1), torch.ones_like(labels)
        # Not bincount, which waits for a GPU.
        self.hits = self.hits.index_add(0, labels, (answers == labels).long())
        self.of_both = self.of_both.index_add(0, labels, once).index_add(0, answers, once)

    def compute(self) -> Tensor:
        chosen = slice(None) if self.label is None else slice(self.label, self.label + 1)
        value: Tensor | None = f1_score(self.hits[chosen], self.of_both[chosen])
        return _undefined(self.hits) if value is None else value


def _undefined(state: Tensor) -> Tensor:
    """NaN, where a metric has its state."""
    return torch.full((), torch.nan, device=state.device)


class CalibrationError(Metric):
    """How far accuracy is from confidence, in bins of this, as in nsmc/runtime/coverage.py."""

    full_state_update = False

    right: Tensor  # [bins]: the reviews that are answered rightly
    sure: Tensor  # [bins]: the sum of the answers' probabilities
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("right", "sure"):
            self.add_state(name, torch.zeros(CALIBRATION_BINS), dist_reduce_fx="sum")
        self.add_state("count", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, probabilities: Tensor, labels: Tensor) -> None:
        confidence, answers = probabilities.max(dim=1)
        bins = (confidence * CALIBRATION_BINS).long().clamp(max=CALIBRATION_BINS - 1)
        # Not bincount, which on a GPU adds in an order that differs from run to run.
        in_bin = F.one_hot(bins, CALIBRATION_BINS).float()  # [N, bins]
        self.right = self.right + (answers == labels).float() @ in_bin
        self.sure = self.sure + confidence.float() @ in_bin
        self.count = self.count + len(labels)

    def compute(self) -> Tensor:
        return (self.right - self.sure).abs().sum() / self.count


def classification_metrics(stage: str, label_count: int) -> MetricCollection:
    """Metrics of probabilities [N, C] and labels [N], named `stage`/accuracy and so on.

    The answer is the likeliest label. macro_f1 is the mean over the labels that reviews have or are
    answered with, f1 is of the second of two labels. Of the training part there is no calibration
    error, nor, where labels are many, auroc: the probabilities of a whole epoch would be in memory
    together.
    """
    metrics: dict[str, Metric | MetricCollection] = {
        # Probabilities and labels are ours, so checking them again at each step is a waste.
        "accuracy": MulticlassAccuracy(label_count, average="micro", validate_args=False),
        "macro_f1": F1(label_count),
    }
    if label_count == 2:
        metrics["f1"] = F1(label_count, label=1)
    if stage != "train" or label_count <= _MANY_LABELS:
        metrics["auroc"] = AreaUnderROC(label_count)
    if stage != "train":
        metrics["calibration_error"] = CalibrationError()
    return MetricCollection(metrics, prefix=f"{stage}/")
