"""The paired bootstrap: how far metrics of two classifiers would be apart on other reviews.

Reviews are drawn with replacement, the same for both (Efron and Tibshirani 1993, chapter 13; for
classifiers Berg-Kirkpatrick et al. 2012). Reviews with the same label and the same two answers are
alike, so that how many of each kind are drawn is all that needs drawing.

Legend: N reviews, M kinds, C labels, D draws.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from nsmc.comparison.answers import Answers
from nsmc.comparison.testing import LEVEL

_DRAWS = 10_000
_CELLS = 4 << 20  # of draws by kinds that are in memory together

Counts = npt.NDArray[np.int64]  # [D, M]


def intervals(first: Answers, second: Answers) -> dict[str, tuple[float, float]]:
    """Where accuracy's and macro F1's differences, first minus second, lie in 95 % of the draws.

    The answers are to the same reviews. The draws are the same each time.
    """
    count = len(first.names)
    codes = (first.labels.astype(np.int64) * count + first.answers) * count + second.answers
    kinds, sizes = np.unique(codes, return_counts=True)
    labels, answers = kinds // count**2, (kinds // count % count, kinds % count)
    random = np.random.default_rng(1)
    found: dict[str, list[npt.NDArray[np.float64]]] = {"accuracy": [], "macro_f1": []}
    step = max(1, min(_DRAWS, _CELLS // (len(kinds) + count)))
    for start in range(0, _DRAWS, step):
        draws = random.multinomial(len(codes), sizes / len(codes), min(step, _DRAWS - start))
        for name, metric in (("accuracy", _accuracy), ("macro_f1", _macro_f1)):
            a, b = (metric(draws, labels, of, count) for of in answers)
            found[name].append(a - b)
    tail = 100 * LEVEL / 2
    return {
        name: tuple(np.percentile(np.concatenate(parts), [tail, 100 - tail]).tolist())
        for name, parts in found.items()
    }


def _accuracy(draws: Counts, labels: Any, answers: Any, count: int) -> npt.NDArray[np.float64]:
    shares: npt.NDArray[np.float64] = draws[:, labels == answers].sum(axis=1) / draws.sum(axis=1)
    return shares


def _macro_f1(draws: Counts, labels: Any, answers: Any, count: int) -> npt.NDArray[np.float64]:
    """The mean over the labels that reviews of a draw have or are answered with."""
    right, counted = (np.zeros((len(draws), count)) for _ in range(2))
    for kind, (label, answer) in enumerate(zip(labels, answers, strict=True)):
        right[:, label] += (label == answer) * draws[:, kind]
        counted[:, label] += draws[:, kind]
        counted[:, answer] += draws[:, kind]
    shares = np.divide(2 * right, counted, out=np.zeros_like(right), where=counted > 0)
    means: npt.NDArray[np.float64] = shares.sum(axis=1) / (counted > 0).sum(axis=1)
    return means
