"""Draws how often answers are right that are so and so sure.

Legend: N reviews, C labels.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from nsmc.runtime.coverage import CALIBRATION_BINS, Coverage

_INK = "#888888"  # legible on TensorBoard's light background and on its dark one
_BLUE = "#4c78a8"


def reliability_figure(
    probabilities: npt.NDArray[np.floating[Any]], labels: npt.NDArray[np.int64]
) -> Figure:
    """Accuracy by the answer's probability, in bins, and how many reviews each bin has.

    From probabilities [N, C] and true labels [N]. On the diagonal, answers of probability p are
    right in p of the cases.
    """
    answers, coverage = probabilities.argmax(axis=1), Coverage()
    coverage.add(probabilities.max(axis=1), answers == labels)
    middles, counts, means, accuracies = np.array(coverage.bins()).T
    figure = Figure(figsize=(4.2, 4.8), dpi=150, facecolor="none", layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    above.plot([0, 1], [0, 1], color=_INK, linestyle="--", linewidth=1)
    above.plot(means, accuracies, color=_BLUE, marker="o")
    error = f"calibration error {coverage.calibration_error():.4f}"
    above.set(ylim=(0, 1), ylabel="accuracy", title=error)
    below.bar(middles, counts / counts.sum(), width=0.9 / CALIBRATION_BINS, color=_BLUE)
    below.set(xlim=(0, 1), xlabel="probability of the answer", ylabel="share of reviews")
    for axes in (above, below):
        axes.set_facecolor("none")
        axes.tick_params(color=_INK, labelcolor=_INK)
        axes.spines[:].set_color(_INK)
        for text in (axes.title, axes.xaxis.label, axes.yaxis.label):
            text.set_color(_INK)
    return figure
