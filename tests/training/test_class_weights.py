"""Weights of labels have the mean 1 over reviews, balanced or chosen."""

import numpy as np
import pytest

from nsmc.training.class_weights import class_weights

LABELS = np.array([0, 0, 0, 0, 0, 0, 1, 1, 2, 2], np.int16)


def test_balanced_labels_weigh_as_much_together_as_each_other() -> None:
    weights = class_weights("balanced", LABELS, 3)
    assert weights is not None
    of_reviews = weights[LABELS]
    assert of_reviews.mean() == pytest.approx(1)
    assert [of_reviews[label == LABELS].sum() for label in range(3)] == pytest.approx([10 / 3] * 3)


def test_numbers_keep_their_ratios() -> None:
    weights = class_weights([1, 2, 5], LABELS, 3)
    assert weights is not None
    assert weights[LABELS].mean() == pytest.approx(1)
    assert (weights / weights[0]).tolist() == pytest.approx([1, 2, 5])


def test_without_a_choice_there_are_none_and_a_label_without_reviews_does_no_harm() -> None:
    assert class_weights(None, LABELS, 3) is None
    weights = class_weights("balanced", LABELS, 4)
    assert weights is not None and np.isfinite(weights).all()
    assert weights[LABELS].mean() == pytest.approx(1)


def test_another_number_of_numbers_is_refused() -> None:
    with pytest.raises(ValueError, match=r"class_weights: 2 numbers; this corpus has 3 labels"):
        class_weights([1, 2], LABELS, 3)
