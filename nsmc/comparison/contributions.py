"""What each review adds to a metric, so that the metric is the mean of its contributions.

Exactly so for accuracy and loss. For F1 and the area under the ROC curve, which are no means, these
are the influences of the reviews (the delta method; for the area, DeLong et al. 1988): their mean
is the metric, and their spread says how far it would be on other reviews.

Legend: N reviews.
"""

import numpy as np
import numpy.typing as npt

from nsmc.comparison.answers import Answers

Contributions = npt.NDArray[np.float64]  # [N]

_LEAST = 1e-30  # of a probability that was rounded to 0, so that its loss is finite


def contributions(answers: Answers, metric: str) -> Contributions | None:
    """What each review adds to accuracy, loss, f1, macro_f1 or auroc.

    None where the metric is undefined, or, of more than two labels, cannot be told from the
    probabilities that are kept.
    """
    if metric == "accuracy":
        return answers.is_right.astype(np.float64)
    if metric == "loss":
        return -np.log(np.maximum(answers.label_probabilities.astype(np.float64), _LEAST))
    if metric == "macro_f1":
        shares = [_f1(answers, label) for label in range(len(answers.names))]
        defined = [share for share in shares if share is not None]
        return np.mean(defined, axis=0) if defined else None
    if len(answers.names) != 2 or metric not in ("f1", "auroc"):
        return None
    return _f1(answers, 1) if metric == "f1" else _area(answers)


def _f1(answers: Answers, label: int) -> Contributions | None:
    """Of one label: F1 is 2 TP / (2 TP + FP + FN), and both are sums over the reviews."""
    has, is_answer = answers.labels == label, answers.answers == label
    twice_right = 2.0 * (has & is_answer)
    counted = has.astype(np.float64) + is_answer
    if not counted.any():
        return None
    f1 = twice_right.sum() / counted.sum()
    return f1 + (twice_right - f1 * counted) / counted.mean()


def _area(answers: Answers) -> Contributions | None:
    """Of the second of two labels: the share of the other label's reviews that are beyond."""
    sure = answers.probabilities.astype(np.float64)
    scores = np.where(answers.answers == 1, sure, 1 - sure)
    is_second = answers.labels == 1
    count, seconds = len(scores), int(is_second.sum())
    if not 0 < seconds < count:
        return None
    below = _share_below(scores[is_second], scores[~is_second])
    above = 1 - _share_below(scores[~is_second], scores[is_second])
    area = below.mean()
    result = np.empty(count)
    result[is_second] = area + (below - area) * count / seconds
    result[~is_second] = area + (above - area) * count / (count - seconds)
    return result


def _share_below(scores: Contributions, others: Contributions) -> Contributions:
    """The share of the others that are below each score; ties count half."""
    ordered = np.sort(others)
    left, right = (np.searchsorted(ordered, scores, side) for side in ("left", "right"))
    return (left + right) / (2 * len(others))
