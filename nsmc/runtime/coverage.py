"""Counts answers by how sure they are: the calibration error, and how right the surest ones are."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

CALIBRATION_BINS = 15  # as Guo et al. 2017 have them, arxiv.org/abs/1706.04599
_CELLS = 10_000  # of equal width from 0 to 1, so a threshold has four digits


class Bin(NamedTuple):
    """The answers to so many `reviews`, whose probabilities lie around `middle`.

    `probability` is their mean, `accuracy` the share of right ones.
    """

    middle: float
    reviews: int
    probability: float
    accuracy: float


class Surest(NamedTuple):
    """Of the surest `share` of the reviews, `accuracy` are answered rightly.

    Their answers have at least this `probability`; the others have less.
    """

    share: float
    accuracy: float
    probability: float


class Coverage:
    """Adds up answers, in memory that does not follow their number."""

    def __init__(self) -> None:
        self._right, self._sure = np.zeros(CALIBRATION_BINS), np.zeros(CALIBRATION_BINS)
        self._count = np.zeros(CALIBRATION_BINS, np.int64)
        self._all = np.zeros(_CELLS + 1, np.int64)  # by probability, the last one for 1
        self._hits = np.zeros(_CELLS + 1, np.int64)

    def add(self, probabilities: FloatArray, is_right: npt.NDArray[np.bool_]) -> None:
        """Answers' probabilities [N], and which of the answers are right [N]."""
        bins = np.minimum((probabilities * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
        self._right += np.bincount(bins, weights=is_right, minlength=CALIBRATION_BINS)
        self._sure += np.bincount(bins, weights=probabilities, minlength=CALIBRATION_BINS)
        self._count += np.bincount(bins, minlength=CALIBRATION_BINS)
        cells = (probabilities * _CELLS).astype(np.int64)
        self._all += np.bincount(cells, minlength=_CELLS + 1)
        self._hits += np.bincount(cells[is_right], minlength=_CELLS + 1)

    def calibration_error(self) -> float:
        """How far accuracy is from confidence: the mean over the reviews, by bins."""
        return float(np.abs(self._right - self._sure).sum() / self._all.sum())

    def bins(self) -> list[Bin]:
        """Those that the calibration error is computed in, without empty ones."""
        columns = zip(self._count.tolist(), self._sure.tolist(), self._right.tolist(), strict=True)
        return [
            Bin((index + 0.5) / CALIBRATION_BINS, count, sure / count, right / count)
            for index, (count, sure, right) in enumerate(columns)
            if count
        ]

    def surest(self, share: float) -> Surest:
        """The surest reviews, at least that share of all, above 0; as few more as can be."""
        counts = self._from_the_top(self._all)
        return self._at(int(np.argmax(counts >= share * counts[-1] - 1e-9)))

    def where_right(self, accuracy: float) -> Surest | None:
        """As many of the surest reviews as have at least that accuracy; None where none have."""
        counts, hits = self._from_the_top(self._all), self._from_the_top(self._hits)
        are_enough = np.flatnonzero((hits >= accuracy * counts - 1e-9) & (counts > 0))
        return self._at(int(are_enough[-1])) if len(are_enough) else None

    def _at(self, index: int) -> Surest:
        """The reviews of the cells up to this one, counted from the top; empty ones are left."""
        index -= int(np.argmax(self._all[::-1][index::-1] > 0))
        counts, hits = self._from_the_top(self._all), self._from_the_top(self._hits)
        share, accuracy = counts[index] / counts[-1], hits[index] / counts[index]
        return Surest(float(share), float(accuracy), (_CELLS - index) / _CELLS)

    @staticmethod
    def _from_the_top(cells: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        return np.cumsum(cells[::-1])
