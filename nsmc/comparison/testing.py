"""Is one setting better than another, or would other reviews and seeds say otherwise?

A run's metric varies with the reviews that it is measured on and with its seed. Settings are
compared on the same reviews, so that how hard these are does not matter, and the error of their
difference D has three sources:

    error² of D  =  reviews / N  +  seeds / K  +  what a seed does to a review / (N K)

The spread of the reviews' differences, means over the seeds, over N estimates the first and the
third together, that of the seeds' means over K the second and the third; the third by itself is
the residual of the table of reviews by seeds. So the error² is the first sum plus what the second
has beyond the residual, if anything, and D over the error is compared with Student's t, whose
degrees of freedom (Satterthwaite 1946) are those of few seeds where seeds matter and those of many
reviews where they do not. Resampling the reviews (a paired bootstrap) has the first sum as its
variance, too; resampling three seeds as well underrates how they vary. How often each is wrong,
`tests/benchmarks/significance.py` measures.

Where two single classifiers are compared, McNemar's test is exact.

Legend: N reviews, K runs of a setting.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nsmc.comparison.distributions import sign_test, t_quantile, two_sided_p

LEVEL = 0.05  # of false alarms

Runs = npt.NDArray[np.float64]  # [K, N]: contributions of the reviews to a metric, by run
Flags = npt.NDArray[np.bool_]  # [N]
Setting = Mapping[Any, Runs]  # its runs, by the reviews that they were measured on


@dataclass(frozen=True)
class Estimate:
    """A mean, or a difference of means, with its standard error and degrees of freedom.

    `differing` reviews are not 0: as many tosses of a coin.
    """

    value: float
    error: float
    freedom: float
    differing: int

    @property
    def p(self) -> float:
        """How often it would be as far from 0 if it were 0 in truth."""
        if self.value == 0:
            return 1.0
        p = two_sided_p(self.value / self.error, self.freedom) if self.error else 0.0
        return max(p, 2.0 ** (1 - min(self.differing, 1000)))  # as of coins that all fall alike

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """Where the truth is, but for a share `level` of such intervals."""
        margin = t_quantile(1 - level, self.freedom) * self.error
        return self.value - margin, self.value + margin


@dataclass(frozen=True)
class _Spread:
    """Of the runs of a setting on the same reviews: the variance of their means, and the residual.

    Both are of one run. `freedom` is 0 where there is a single one, which has no spread.
    """

    of_means: float = 0.0
    residual: float = 0.0
    freedom: int = 0


def mean(parts: Sequence[Runs]) -> Estimate:
    """A setting's metric; there is a part for each set of reviews that some of its runs share."""
    return _estimate([(runs, None) for runs in parts])


def difference(pairs: Sequence[tuple[Runs, Runs]]) -> Estimate:
    """By how much the first setting's metric is above the second's.

    There is a pair for each set of reviews that runs of both were measured on.
    """
    return _estimate(pairs)


def mcnemar(first: Flags, second: Flags) -> float:
    """McNemar's exact test of two classifiers, from which reviews each is right about."""
    return sign_test(int((first & ~second).sum()), int((second & ~first).sum()))


def against(settings: Sequence[Setting], best: int) -> list[Estimate | None]:
    """By how much the best setting's metric is above each one's, on the reviews that both share.

    None for the best itself, and where they share none.
    """
    of_best = settings[best]
    estimates: list[Estimate | None] = []
    for number, setting in enumerate(settings):
        shared = [key for key in of_best if key in setting and number != best]
        pairs = [(of_best[key], setting[key]) for key in shared]
        estimates.append(difference(pairs) if pairs else None)
    return estimates


def p_values(
    settings: Sequence[Setting], best: int, count: int | None = None
) -> list[float | None]:
    """How often each setting would look as much worse than the best as it does, if none were worse.

    Corrected for all the `count` settings of which the best is the best; these alone by default.
    None where there is nothing to test.
    """
    count = count or len(settings)
    values: list[float | None] = []
    for setting, estimate in zip(settings, against(settings, best), strict=True):
        if estimate is None:
            values.append(None)
            continue
        p = _of_single_runs(settings[best], setting)
        values.append(corrected(estimate.p if p is None else p, count))
    return values


def _of_single_runs(first: Setting, second: Setting) -> float | None:
    """McNemar's test where both have one run, of which reviews are right or wrong; else None."""
    shared = [key for key in first if key in second]
    runs = [setting[key] for key in shared for setting in (first, second)]
    if len(shared) != 1 or any(len(of) != 1 or not np.isin(of, (0, 1)).all() for of in runs):
        return None
    return mcnemar(runs[0][0] == 1, runs[1][0] == 1)


def corrected(p: float, settings: int) -> float:
    """For as many settings, of which any could have come out best: all pairs count (Bonferroni)."""
    return min(1.0, p * math.comb(settings, 2))


def _estimate(pairs: Sequence[tuple[Runs, Runs | None]]) -> Estimate:
    differences = [_by_review(first, second) for first, second in pairs]
    values = [float(of_part.mean()) for of_part in differences]
    value, count = math.fsum(values) / len(values), len(values)
    differing = sum(int(np.count_nonzero(of_part)) for of_part in differences)
    of_reviews = [_variance(of_part) / len(of_part) for of_part in differences]
    of_reviews_freedom = min(len(of_part) for of_part in differences) - 1
    reviews = math.fsum(of_reviews) / count**2
    if count > 1:  # each set of reviews has its own seeds: sets and seeds vary together
        seeds = _variance(np.array(values)) / count
        residual, seeds_squared = reviews, seeds**2 / (count - 1)
    else:
        seeds, residual, seeds_squared = _of_seeds(*pairs[0])
    variance = reviews + max(seeds - residual, 0.0)
    if variance == 0:
        return Estimate(value, 0.0, math.inf, differing)
    freedom = variance**2 / (seeds_squared + reviews**2 / max(of_reviews_freedom, 1))
    return Estimate(value, math.sqrt(variance), freedom, differing)


def _of_seeds(first: Runs, second: Runs | None) -> tuple[float, float, float]:
    """The variances of the seeds' part and of the residual, and the first's square by freedom.

    A setting of one run is taken to vary as the other one does.
    """
    settings = [first] if second is None else [first, second]
    spreads = [_spread(runs) for runs in settings]
    known = [spread for spread in spreads if spread.freedom]
    if not known:
        return 0.0, 0.0, 0.0
    spreads = [spread if spread.freedom else known[0] for spread in spreads]
    pairs = list(zip(spreads, settings, strict=True))
    terms = [spread.of_means / len(runs) for spread, runs in pairs]
    seeds, residual = math.fsum(terms), math.fsum(it.residual / runs.size for it, runs in pairs)
    least = min(spread.freedom for spread in spreads)
    # Both terms are of the same few runs, or of two each, where Satterthwaite's freedom is too
    # high: 6 % of false alarms for 5.
    if len(known) < len(settings) or least == 1:
        return seeds, residual, seeds**2 / least
    squares = (term**2 / spread.freedom for term, spread in zip(terms, spreads, strict=True))
    return seeds, residual, math.fsum(squares)


def _spread(runs: Runs) -> _Spread:
    count, reviews = runs.shape
    if count < 2 or reviews < 2:
        return _Spread()
    means = runs.mean(axis=1)
    # The residual of the table of runs by reviews, without the means of either.
    left = runs - runs.mean(axis=0) - (means - means.mean())[:, None]
    residual = float((left**2).sum()) / ((count - 1) * (reviews - 1))
    return _Spread(_variance(means), residual, count - 1)


def _by_review(first: Runs, second: Runs | None) -> npt.NDArray[np.float64]:
    """The differences [N] of the means over runs."""
    means: npt.NDArray[np.float64] = first.mean(axis=0)
    return means if second is None else means - second.mean(axis=0)


def _variance(values: npt.NDArray[np.float64]) -> float:
    return float(values.var(ddof=1)) if len(values) > 1 else 0.0
