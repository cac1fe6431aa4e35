"""Metrics of binary answers, added up as they come, in memory that does not follow their number.

Legend: N reviews; the label 1 counts as positive.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
LabelArray = npt.NDArray[np.integer[Any]]

AT_ONCE = 1 << 18  # reviews whose numbers are in memory several times

_BINS = 15  # of the calibration error, as Guo et al. 2017 have them, arxiv.org/abs/1706.04599
_LEAST = 1e-12  # keeps the logarithm of a probability finite
_MOST_SCORES = 4 << 20  # of which the area under the ROC curve is exact
_CELLS = 1 << 20  # of the grid on which further scores are counted


class Metrics:
    """Accuracy, F1, area under the ROC curve, cross-entropy and calibration error.

    `confusion` [2, 2] counts reviews by true label and answer.
    """

    def __init__(self) -> None:
        self.confusion = np.zeros((2, 2), np.int64)
        self._loss = 0.0
        self._right, self._sure = np.zeros(_BINS), np.zeros(_BINS)
        self._roc = RocArea()

    def add(self, labels: LabelArray, probabilities: FloatArray) -> None:
        """Labels [N] and probabilities of the label 1 [N]; above one half the answer is 1."""
        answers = probabilities > 0.5
        cells = 2 * labels.astype(np.int64) + answers
        self.confusion += np.bincount(cells, minlength=4).reshape(2, 2)
        of_truth = np.where(labels == 1, probabilities, 1 - probabilities)
        self._loss -= float(np.log(np.maximum(of_truth, _LEAST)).sum())
        confidence = np.maximum(probabilities, 1 - probabilities)
        bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
        self._right += np.bincount(bins, weights=answers == labels, minlength=_BINS)
        self._sure += np.bincount(bins, weights=confidence, minlength=_BINS)
        self._roc.add(labels, probabilities)

    def result(self) -> dict[str, float | None]:
        """The metrics by name; None where one is undefined. There must be a review."""
        (right_negatives, false), (missed, hits) = self.confusion.tolist()
        count = right_negatives + false + missed + hits
        twice = 2 * hits + false + missed  # the reviews of both sets, true and answered
        return {
            "accuracy": (right_negatives + hits) / count,
            "f1": 2 * hits / twice if twice else None,
            "auroc": self._roc.result(),
            "loss": self._loss / count,
            "calibration_error": float(np.abs(self._right - self._sure).sum() / count),
        }


class RocArea:
    """The chance that a positive review has the higher score; ties count a half.

    Exact for four million reviews. Of more, scores from 0 to 1 are counted on a grid of a million
    cells, and two in one cell are a tie.
    """

    def __init__(self, most_scores: int = _MOST_SCORES) -> None:
        self._most_scores = most_scores
        self._labels: list[LabelArray] = []
        self._scores: list[FloatArray] = []
        self._grid: IntArray | None = None  # [2, cells]: how many of each label

    def add(self, labels: LabelArray, scores: FloatArray) -> None:
        self._labels.append(labels)
        self._scores.append(scores)
        if self._grid is None and sum(map(len, self._scores)) > self._most_scores:
            self._grid = np.zeros((2, _CELLS), np.int64)
        if self._grid is not None:
            cells = (np.concatenate(self._scores) * _CELLS).astype(np.int64)
            self._grid += self._counts(np.minimum(cells, _CELLS - 1), _CELLS)
            self._labels, self._scores = [], []

    def result(self) -> float | None:
        """The area; None where all reviews have one label."""
        counts = self._grid
        if counts is None:
            values, cells = np.unique(np.concatenate(self._scores), return_inverse=True)
            counts = self._counts(cells, len(values))
        negatives, positives = counts
        below = np.cumsum(negatives)
        halves = int(positives @ (2 * below - negatives))  # of negatives below a positive
        pairs = int(below[-1]) * int(positives.sum())
        return halves / (2 * pairs) if pairs else None

    def _counts(self, cells: IntArray, size: int) -> IntArray:
        """How many of the scores that are kept have each label and cell [2, size]."""
        labels = np.concatenate(self._labels).astype(np.int64)
        return np.bincount(labels * size + cells, minlength=2 * size).reshape(2, size)
