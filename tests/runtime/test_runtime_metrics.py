"""The metrics against scikit-learn and a slow loop, at once and in parts."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, log_loss, roc_auc_score

from nsmc.runtime.metrics import Metrics, RocArea

# Few distinct values, so that there are many ties; 0, 0.5 and 1 among them.
scores = st.one_of(st.sampled_from([0, 0.25, 0.5, 0.75, 1]), st.floats(0, 1))
samples = st.lists(st.tuples(st.integers(0, 1), scores), min_size=1, max_size=40)
both_labels = samples.filter(lambda sample: len({label for label, _ in sample}) == 2)


def arrays(sample: list[tuple[int, float]]) -> tuple[np.ndarray, np.ndarray]:
    labels, probabilities = zip(*sample, strict=True)
    return np.array(labels), np.array(probabilities, dtype=np.float64)


def measured(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float | None]:
    metrics = Metrics()
    metrics.add(labels, probabilities)
    return metrics.result()


@given(sample=samples)
def test_accuracy_and_f1_are_scikit_learn_s(sample: list[tuple[int, float]]) -> None:
    labels, probabilities = arrays(sample)
    found, answers = measured(labels, probabilities), probabilities > 0.5
    assert found["accuracy"] == pytest.approx(accuracy_score(labels, answers))
    expected = f1_score(labels, answers, zero_division=np.nan)  # NaN where it is undefined
    assert found["f1"] == (None if np.isnan(expected) else pytest.approx(expected))


@given(sample=both_labels)
def test_the_area_under_the_curve_is_scikit_learn_s_ties_included(
    sample: list[tuple[int, float]],
) -> None:
    labels, probabilities = arrays(sample)
    assert measured(labels, probabilities)["auroc"] == pytest.approx(
        roc_auc_score(labels, probabilities)
    )


@pytest.mark.parametrize("label", [0, 1])
def test_without_both_labels_there_is_no_area(label: int) -> None:
    labels, probabilities = np.array([label] * 3), np.array([0.1, 0.5, 0.9])
    assert measured(labels, probabilities)["auroc"] is None
    with pytest.warns(UserWarning):  # scikit-learn has none, either
        assert math.isnan(roc_auc_score(labels, probabilities))


@given(sample=samples)
def test_the_loss_is_scikit_learn_s_where_no_probability_is_0(
    sample: list[tuple[int, float]],
) -> None:
    labels, probabilities = arrays(sample)
    probabilities = np.clip(probabilities, 1e-9, 1 - 1e-9)
    expected = log_loss(labels, np.stack([1 - probabilities, probabilities], 1), labels=[0, 1])
    assert measured(labels, probabilities)["loss"] == pytest.approx(expected, abs=1e-9)


def test_the_loss_of_a_certain_mistake_is_finite() -> None:
    loss = measured(np.array([0, 1]), np.array([1.0, 0.0]))["loss"]
    assert loss is not None and math.isfinite(loss)


def slow_calibration_error(sample: list[tuple[int, float]], bins: int = 15) -> float:
    error = 0.0
    for place in range(bins):
        confidences, hits = [], []
        for label, probability in sample:
            confidence = max(probability, 1 - probability)
            last = place == bins - 1 and confidence == 1
            if last or int(confidence * bins) == place:
                confidences.append(confidence)
                hits.append(int(probability > 0.5) == label)
        if hits:
            gap = abs(sum(hits) / len(hits) - sum(confidences) / len(confidences))
            error += gap * len(hits) / len(sample)
    return error


@given(sample=samples)
def test_the_calibration_error_is_that_of_a_slow_loop(sample: list[tuple[int, float]]) -> None:
    assert measured(*arrays(sample))["calibration_error"] == pytest.approx(
        slow_calibration_error(sample), abs=1e-9
    )


@pytest.mark.parametrize("at_once", [1, 7, 500])
def test_metrics_do_not_depend_on_how_many_are_added_at_once(at_once: int) -> None:
    generator = np.random.default_rng(0)
    labels, scores = generator.integers(0, 2, 500), generator.random(500).round(2)
    expected, metrics = measured(labels, scores), Metrics()
    for start in range(0, 500, at_once):
        metrics.add(labels[start : start + at_once], scores[start : start + at_once])
    for name, value in metrics.result().items():
        assert value == pytest.approx(expected[name], abs=1e-12), name
    assert metrics.result()["auroc"] == expected["auroc"]


@given(sample=both_labels, parts=st.integers(1, 5))
def test_on_the_grid_only_scores_in_one_cell_become_ties(
    sample: list[tuple[int, float]], parts: int
) -> None:
    labels, probabilities = arrays(sample)
    rounded = np.floor(probabilities * 1024) / 1024  # whole cells of the grid, which is finer
    area = RocArea(most_scores=3)
    for indices in np.array_split(np.arange(len(sample)), parts):
        area.add(labels[indices], rounded[indices])
    assert area.result() == pytest.approx(roc_auc_score(labels, rounded))


def test_on_the_grid_one_label_alone_has_no_area() -> None:
    area = RocArea(most_scores=1)
    area.add(np.array([1, 1]), np.array([0.2, 1.0]))
    assert area.result() is None
