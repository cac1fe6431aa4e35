"""Measures a classifier that answers by numpy: its metrics, and the answers that runs keep."""

from typing import Any

import numpy as np
import numpy.typing as npt

from nsmc.comparison.answers import Answers, ReviewKeys, answers_of, as_ids
from nsmc.comparison.slices import slices_of
from nsmc.data.corpus import LabelArray, Reviews
from nsmc.runtime.metrics import Metrics

FloatArray = npt.NDArray[np.floating[Any]]


def measured(split: str, labels: LabelArray, logits: FloatArray) -> dict[str, float]:
    """The metrics that are defined, named `split`/accuracy and so on, of logits [N, C]."""
    metrics = Metrics(logits.shape[1])
    metrics.add(labels, logits)
    values = {f"{split}/{name}": value for name, value in metrics.result().items()}
    return {name: round(value, 6) for name, value in values.items() if value is not None}


def answers_to(reviews: Reviews, probabilities: FloatArray) -> Answers:
    """Those with these probabilities [N, C]."""
    keys = ReviewKeys(as_ids(reviews.ids), slices_of(reviews.texts))
    return answers_of(keys, reviews.labels, probabilities, reviews.label_names)
