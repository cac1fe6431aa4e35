"""Metrics of answers, added up as they come, in memory that does not follow their number.

Legend: N reviews, C labels.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from nsmc.runtime.coverage import Coverage, FloatArray

IntArray = npt.NDArray[np.int64]
LabelArray = npt.NDArray[np.integer[Any]]

_MOST_SCORES = 4 << 20  # of which areas under the ROC curve are exact
_CELLS = 1 << 20  # of the grids on which further scores are counted, together
_FEWEST_CELLS = 1 << 10
_HIGHEST_LOGIT = 40.0  # on a grid; what is beyond is a tie


class Metrics:
    """Accuracy, F1, area under the ROC curve, cross-entropy and calibration error.

    `confusion` [C, C] counts reviews by true label and answer.
    """

    def __init__(self, label_count: int) -> None:
        self.label_count = label_count
        self.confusion = np.zeros((label_count, label_count), np.int64)
        self._loss = 0.0
        self.coverage = Coverage()
        # Of two labels one says all: the area of the other is the same.
        self._roc = RocAreas(range(1, 2) if label_count == 2 else range(label_count))

    def add(self, labels: LabelArray, logits: npt.NDArray[np.floating[Any]]) -> None:
        """Labels [N] and logits [N, C], of which the highest is the answer."""
        count, answers = self.label_count, logits.argmax(axis=1)
        cells = count * labels.astype(np.int64) + answers
        found, counts = np.unique(cells, return_counts=True)
        self.confusion.reshape(-1)[found] += counts
        below = (logits - logits.max(axis=1, keepdims=True)).astype(np.float64)
        exponentials = np.exp(below)
        totals = exponentials.sum(axis=1)
        self._loss += float((np.log(totals) - below[np.arange(len(labels)), labels]).sum())
        probabilities = exponentials / totals[:, None]
        self.coverage.add(probabilities.max(axis=1, initial=0), answers == labels)
        self._roc.add(labels, probabilities)

    def result(self) -> dict[str, float | None]:
        """The metrics by name; None where one is undefined. There must be a review.

        The area under the ROC curve is that of each label against the rest, and F1 that of each
        label; then the mean over those labels for which it is defined. `f1`, of the second label,
        is there only with two.
        """
        count, hits = int(self.confusion.sum()), np.diag(self.confusion)
        of_both = self.confusion.sum(axis=0) + self.confusion.sum(axis=1)
        is_binary = self.label_count == 2
        of_second = {"f1": _plain(f1_score(hits[1:], of_both[1:]))} if is_binary else {}
        return {
            "accuracy": float(hits.sum() / count),
            "macro_f1": _plain(f1_score(hits, of_both)),
            **of_second,
            "auroc": _mean(self._roc.result()),
            "loss": self._loss / count,
            "calibration_error": self.coverage.calibration_error(),
        }


def f1_score(hits: Any, of_both: Any) -> Any:
    """The mean F1 of labels; None where no review has one of them or is answered with it.

    Of each label, `hits` are the reviews that have it and are answered with it, `of_both` those
    that have it and those that are answered with it, added up: arrays [C] of numpy or of torch.
    """
    is_defined = of_both > 0
    scores = 2 * hits[is_defined] / of_both[is_defined]
    return (scores / len(scores)).sum() if len(scores) else None


def _mean(values: list[float | None]) -> float | None:
    """The mean of those that are defined."""
    defined = [value for value in values if value is not None]
    return float(sum(defined) / len(defined)) if defined else None


def _plain(value: Any) -> float | None:
    return None if value is None else float(value)


class RocAreas:
    """For some labels, the chance that a review of theirs has the higher probability of it.

    Ties count a half. Exact for millions of probabilities; of more, their logits are counted on a
    grid, and two in one cell are a tie.
    """

    def __init__(self, labels: range, most_scores: int = _MOST_SCORES) -> None:
        self._of = labels  # L of them
        self._most_scores = most_scores
        self._cells = max(_CELLS // len(labels), _FEWEST_CELLS)
        self._labels: list[LabelArray] = []
        self._scores: list[FloatArray] = []  # each [L, N]
        self._grid: IntArray | None = None  # [L, 2, cells]: how many of the rest and of the label

    def add(self, labels: LabelArray, probabilities: FloatArray) -> None:
        """Labels [N] and probabilities [N, C]."""
        self._labels.append(labels)
        self._scores.append(np.ascontiguousarray(probabilities[:, self._of.start :].T))
        if self._grid is None and sum(each.size for each in self._scores) > self._most_scores:
            self._grid = np.zeros((len(self._of), 2, self._cells), np.int64)
        if self._grid is not None:
            everyone = np.concatenate(self._labels)
            for row, scores in enumerate(np.concatenate(self._scores, axis=1)):
                is_label = everyone == self._of[row]
                self._grid[row] += _counts(is_label, self._cell_of(scores), self._cells)
            self._labels, self._scores = [], []

    def result(self) -> list[float | None]:
        """The areas; None where all reviews, or none, have the label."""
        if self._grid is not None:
            return [_area(*counts) for counts in self._grid]
        labels, areas = np.concatenate(self._labels), []
        for row, scores in enumerate(np.concatenate(self._scores, axis=1)):
            values, cells = np.unique(scores, return_inverse=True)
            areas.append(_area(*_counts(labels == self._of[row], cells, len(values))))
        return areas

    def _cell_of(self, probabilities: FloatArray) -> IntArray:
        """On a grid of logits, which is as fine near 0 and 1 as between."""
        with np.errstate(divide="ignore"):
            logits = np.log(probabilities) - np.log1p(-probabilities)
        share = np.clip(logits / (2 * _HIGHEST_LOGIT) + 0.5, 0, 1)
        return np.minimum((share * self._cells).astype(np.int64), self._cells - 1)


def _counts(is_label: npt.NDArray[np.bool_], cells: IntArray, size: int) -> IntArray:
    """How many reviews of the rest and of a label are in each cell [2, size]."""
    return np.bincount(is_label * size + cells, minlength=2 * size).reshape(2, size)


def _area(rest: IntArray, own: IntArray) -> float | None:
    below = np.cumsum(rest)
    halves = int(own @ (2 * below - rest))  # of the rest below one of the label
    pairs = int(below[-1]) * int(own.sum())
    return halves / (2 * pairs) if pairs else None
