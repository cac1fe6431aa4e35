"""Probabilities from logits, along the last axis."""

from typing import Any

import numpy as np
import numpy.typing as npt

Logits = npt.NDArray[np.floating[Any]]
Probabilities = npt.NDArray[np.float64]


def softmax(logits: Logits) -> Logits:
    """Probabilities of the logits' own type."""
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probabilities: Logits = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return probabilities


def exact_softmax(logits: Logits) -> Probabilities:
    """The same in float64, in which none near 0 or 1 is rounded to it."""
    differences = logits - logits.max(axis=-1, keepdims=True)
    exponentials = np.exp(differences, dtype=np.float64)
    probabilities: Probabilities = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return probabilities
