"""Measures a bundle on labelled reviews, with numpy alone.

Legend: N reviews.
"""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nsmc.runtime.files import classified
from nsmc.runtime.predictor import Predictor
from nsmc.runtime.tables import Row

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_BINS = 15  # of the calibration error, as Guo et al. 2017 have them, arxiv.org/abs/1706.04599
_ABOVE_HALF = float(np.nextafter(0.5, 1))
_LEAST = 1e-12  # keeps the logarithm of a probability finite


@dataclass(frozen=True)
class Mistake:
    """A review that was classified wrongly, and how sure the classifier was of it."""

    line: int
    label: str
    answer: str
    probability: float
    text: str


@dataclass(frozen=True)
class Evaluation:
    """The label 1, the second of a bundle's, counts as positive.

    `confusion` [2, 2] counts reviews by true label and answer. `mistakes` are the most confident
    ones, the worst first. `skipped` are the damaged rows.
    """

    labels: tuple[str, ...]
    count: int
    metrics: dict[str, float]
    confusion: IntArray
    mistakes: list[Mistake]
    skipped: list[Row]

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "reviews": self.count,
            "labels": list(self.labels),
            **self.metrics,
            "confusion": self.confusion.tolist(),
            "mistakes": [vars(mistake) for mistake in self.mistakes],
            "skipped": [{"line": row.line, "error": row.error} for row in self.skipped],
        }

    def as_text(self) -> str:
        """For a terminal."""
        names = {
            "accuracy": "accuracy",
            "f1": f"F1 of {self.labels[1]}",
            "auroc": "area under the ROC curve",
            "loss": "cross-entropy",
            "calibration_error": "calibration error",
        }
        lines = [f"{'reviews':<28}{self.count:>10,}"]
        lines += [f"{title:<28}{self.metrics[key]:>10.4f}" for key, title in names.items()]
        width = max(len(name) for name in self.labels) + 2
        lines += ["", f"{'true label':<{width + 10}}answered {self.labels[0]:>{width}}"]
        lines[-1] += f"{self.labels[1]:>{width}}"
        for name, row in zip(self.labels, self.confusion, strict=True):
            counts = "".join(f"{count:>{width},}" for count in row.tolist())
            lines.append(f"{name:<{width + 19}}{counts}")
        if self.mistakes:
            lines += ["", "most confident mistakes (line, true label, probability of the other):"]
        for mistake in self.mistakes:
            shown = " ".join(mistake.text.split())[:80]
            lines.append(
                f"  {mistake.line:>7}  {mistake.label:<{width}}{mistake.probability:.4f}  {shown}"
            )
        return "\n".join(lines)


def evaluate(predictor: Predictor, rows: Iterable[Row], mistakes: int = 10) -> Evaluation:
    """Classify labelled rows and compare; labels are 0 and 1, or the bundle's own names.

    Raises ValueError where no row can be used, naming the first reason.
    """
    names = predictor.config.labels
    known = {"0": 0, "1": 1, names[0]: 0, names[1]: 1}
    truth, found, skipped = list[int](), list[float](), list[Row]()
    worst: list[tuple[float, int, Mistake]] = []
    for answer in classified(predictor, rows):
        row = answer.row
        label = known.get(row.label or "")
        if row.error or label is None:
            shown = row.label or ""
            skipped.append(row if row.error else row._replace(error=f"label {shown[:40]!r}"))
            continue
        assert answer.probability is not None
        is_positive = answer.label == names[1]
        truth.append(label)
        # Just above one half where the answer is positive, for rounding may have made it a half.
        of_positive = answer.probability if is_positive else 1 - answer.probability
        found.append(max(of_positive, _ABOVE_HALF) if is_positive else min(of_positive, 0.5))
        if is_positive != bool(label):
            mistake = Mistake(row.line, names[label], answer.label, answer.probability, row.text)
            heapq.heappush(worst, (answer.probability, -row.line, mistake))
            if len(worst) > mistakes:
                heapq.heappop(worst)
    if not truth:
        reason = f" (line {skipped[0].line}: {skipped[0].error})" if skipped else ""
        raise ValueError(f"no row with a text and a label 0 or 1{reason}")
    labels, probabilities = np.array(truth), np.array(found)
    confusion = np.zeros((2, 2), np.int64)
    np.add.at(confusion, (labels, (probabilities > 0.5).astype(np.int64)), 1)
    ordered = [mistake for _, _, mistake in sorted(worst, key=lambda each: each[:2], reverse=True)]
    return Evaluation(
        names, len(labels), metrics(labels, probabilities), confusion, ordered, skipped
    )


def metrics(labels: IntArray, probabilities: FloatArray) -> dict[str, float]:
    """Of labels [N] and probabilities of the label 1 [N]."""
    answers = probabilities > 0.5
    hits = int((answers & (labels == 1)).sum())
    positives = int(answers.sum() + (labels == 1).sum())
    of_truth = np.where(labels == 1, probabilities, 1 - probabilities)
    return {
        "accuracy": float((answers == labels).mean()),
        "f1": 2 * hits / positives if positives else 0.0,
        "auroc": area_under_roc(labels, probabilities),
        "loss": float(-np.log(np.maximum(of_truth, _LEAST)).mean()),
        "calibration_error": calibration_error(labels, probabilities),
    }


def area_under_roc(labels: IntArray, scores: FloatArray) -> float:
    """The chance that a positive review has the higher score; ties count a half; 0 without both."""
    positives = int((labels == 1).sum())
    negatives = len(labels) - positives
    if not positives or not negatives:
        return 0.0
    _, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]  # the mean rank of equal scores
    above = ranks[labels == 1].sum() - positives * (positives + 1) / 2
    return float(above / (positives * negatives))


def calibration_error(labels: IntArray, probabilities: FloatArray) -> float:
    """The expected difference between how sure answers are and how often they are right."""
    confidence = np.maximum(probabilities, 1 - probabilities)
    is_right = (probabilities > 0.5) == labels
    bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    counts = np.bincount(bins, minlength=_BINS)
    right = np.bincount(bins, weights=is_right, minlength=_BINS)
    sure = np.bincount(bins, weights=confidence, minlength=_BINS)
    return float(np.abs(right - sure).sum() / counts.sum())
