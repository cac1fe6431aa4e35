"""Weights of labels: what makes a review of a rare label count for more in what is minimised.

Legend: N reviews, C labels.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from nsmc.data.corpus import LabelArray


def class_weights(
    chosen: str | Sequence[float] | None,
    labels: LabelArray,
    label_count: int,
    key: str = "model.class_weights",
) -> npt.NDArray[np.float64] | None:
    """The weight of each label [C]; their mean over reviews with these labels [N] is 1.

    With "balanced" the reviews of a label weigh as much together as those of any other. Raises
    ValueError, which names the `key` that they are chosen with, for numbers that are not one for
    each label.
    """
    if chosen is None:
        return None
    counts = np.bincount(labels, minlength=label_count)
    if chosen == "balanced":
        weights = 1 / np.maximum(counts, 1)
    else:
        weights = np.array(chosen, np.float64)
        if len(weights) != label_count:
            raise ValueError(f"{key}: {len(weights)} numbers; this corpus has {label_count} labels")
    scaled: npt.NDArray[np.float64] = weights * (counts.sum() / (weights @ counts))
    return scaled
