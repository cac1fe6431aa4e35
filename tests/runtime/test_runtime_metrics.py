"""The metrics against scikit-learn, torchmetrics and slow loops, at once and in parts."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    f1_score,
    log_loss,
    roc_auc_score,
)
from torchmetrics.functional.classification import (
    binary_calibration_error,
    multiclass_calibration_error,
)

from nsmc.runtime.metrics import Metrics, RocAreas


def _rounded(probability: float) -> float:
    """So that two are the same or further apart than the rounding of their logits."""
    return round(probability, 9)


# Few distinct values, so that there are many ties; 0, 0.5 and 1 among them.
scores = st.one_of(st.sampled_from([0, 0.25, 0.5, 0.75, 1]), st.floats(0, 1).map(_rounded))
samples = st.lists(st.tuples(st.integers(0, 1), scores), min_size=1, max_size=40)
both_labels = samples.filter(lambda sample: len({label for label, _ in sample}) == 2)


def arrays(sample: list[tuple[int, float]]) -> tuple[np.ndarray, np.ndarray]:
    labels, probabilities = zip(*sample, strict=True)
    return np.array(labels), np.array(probabilities, dtype=np.float64)


def logits_of(probabilities: np.ndarray) -> np.ndarray:
    """Logits of two labels, of which the second has these probabilities."""
    with np.errstate(divide="ignore"):
        margins = np.log(probabilities) - np.log1p(-probabilities)
    return np.stack([np.zeros(len(margins)), np.clip(margins, -40, 40)], axis=1)


def measured(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float | None]:
    metrics = Metrics(2)
    metrics.add(labels, logits_of(probabilities))
    return metrics.result()


@settings(deadline=None)
@given(sample=samples)
def test_accuracy_and_f1_are_scikit_learn_s(sample: list[tuple[int, float]]) -> None:
    labels, probabilities = arrays(sample)
    found, answers = measured(labels, probabilities), probabilities > 0.5
    assert found["accuracy"] == pytest.approx(accuracy_score(labels, answers))
    expected = f1_score(labels, answers, zero_division=np.nan)  # NaN where it is undefined
    assert found["f1"] == (None if np.isnan(expected) else pytest.approx(expected))
    assert found["macro_f1"] == pytest.approx(f1_score(labels, answers, average="macro"))


@settings(deadline=None)
@given(sample=both_labels)
def test_the_area_under_the_curve_is_scikit_learn_s_ties_included(
    sample: list[tuple[int, float]],
) -> None:
    labels, probabilities = arrays(sample)
    assert measured(labels, probabilities)["auroc"] == pytest.approx(
        roc_auc_score(labels, probabilities)
    )


@settings(deadline=None)
@given(sample=both_labels)
def test_the_area_under_the_curve_counts_pairs(sample: list[tuple[int, float]]) -> None:
    pairs = [
        1.0 if good > bad else 0.5 if good == bad else 0.0
        for is_good, good in sample
        for is_bad, bad in sample
        if is_good and not is_bad
    ]
    assert measured(*arrays(sample))["auroc"] == pytest.approx(sum(pairs) / len(pairs))


@pytest.mark.parametrize("label", [0, 1])
def test_without_both_labels_there_is_no_area(label: int) -> None:
    labels, probabilities = np.array([label] * 3), np.array([0.1, 0.5, 0.9])
    assert measured(labels, probabilities)["auroc"] is None
    with pytest.warns(UserWarning):  # scikit-learn has none, either
        assert math.isnan(roc_auc_score(labels, probabilities))


@settings(deadline=None)
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


@settings(deadline=None)
@given(sample=samples)
def test_the_calibration_error_is_that_of_a_slow_loop(sample: list[tuple[int, float]]) -> None:
    assert measured(*arrays(sample))["calibration_error"] == pytest.approx(
        slow_calibration_error(sample), abs=1e-9
    )


def test_the_calibration_error_is_torchmetrics_of_the_same_bins() -> None:
    generator = np.random.default_rng(0)
    probabilities = generator.random(5_000)
    labels = (generator.random(5_000) < probabilities**2).astype(np.int64)
    # torchmetrics takes the probability of the label 1 for the confidence: so give it confidences.
    confidence = np.maximum(probabilities, 1 - probabilities)
    is_right = (probabilities > 0.5) == labels
    expected = binary_calibration_error(
        torch.tensor(confidence), torch.tensor(is_right.astype(np.int64)), n_bins=15
    )
    assert measured(labels, probabilities)["calibration_error"] == pytest.approx(
        float(expected), abs=1e-6
    )


@pytest.mark.parametrize("at_once", [1, 7, 500])
def test_metrics_do_not_depend_on_how_many_are_added_at_once(at_once: int) -> None:
    generator = np.random.default_rng(0)
    labels, scores = generator.integers(0, 2, 500), generator.random(500).round(2)
    expected, metrics = measured(labels, scores), Metrics(2)
    for start in range(0, 500, at_once):
        metrics.add(labels[start : start + at_once], logits_of(scores[start : start + at_once]))
    for name, value in metrics.result().items():
        assert value == pytest.approx(expected[name], abs=1e-12), name
    assert metrics.result()["auroc"] == expected["auroc"]


@settings(deadline=None)
@given(sample=both_labels, parts=st.integers(1, 5))
def test_on_the_grid_only_scores_in_one_cell_become_ties(
    sample: list[tuple[int, float]], parts: int
) -> None:
    labels, probabilities = arrays(sample)
    rounded = np.floor(probabilities * 1024) / 1024  # further apart than cells of the grid
    area = RocAreas(range(1, 2), most_scores=3)
    for indices in np.array_split(np.arange(len(sample)), parts):
        area.add(labels[indices], np.stack([1 - rounded[indices], rounded[indices]], axis=1))
    assert area.result() == [pytest.approx(roc_auc_score(labels, rounded))]


def test_on_the_grid_one_label_alone_has_no_area() -> None:
    area = RocAreas(range(1, 2), most_scores=1)
    area.add(np.array([1, 1]), np.array([[0.8, 0.2], [0, 1.0]]))
    assert area.result() == [None]


# --- more labels ---


def many(count: int, labels: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, labels, count)
    logits = generator.normal(0, 1, (count, labels)).astype(np.float32)
    logits[np.arange(count), truth] += 1
    return truth, logits


def measured_many(truth: np.ndarray, logits: np.ndarray, parts: int = 1) -> Metrics:
    metrics = Metrics(logits.shape[1])
    for indices in np.array_split(np.arange(len(truth)), parts):
        metrics.add(truth[indices], logits[indices])
    return metrics


@pytest.mark.parametrize("labels", [3, 10])
@pytest.mark.parametrize("parts", [1, 7])
def test_of_more_labels_metrics_are_scikit_learn_s_and_torchmetrics(
    labels: int, parts: int
) -> None:
    truth, logits = many(600, labels)
    metrics = measured_many(truth, logits, parts)
    found, answers = metrics.result(), logits.argmax(axis=1)
    probabilities = np.exp(logits.astype(np.float64))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    np.testing.assert_array_equal(metrics.confusion, confusion_matrix(truth, answers))
    assert found["accuracy"] == pytest.approx(accuracy_score(truth, answers))
    assert found["macro_f1"] == pytest.approx(f1_score(truth, answers, average="macro"))
    areas = [roc_auc_score(truth == label, probabilities[:, label]) for label in range(labels)]
    assert found["auroc"] == pytest.approx(np.mean(areas), abs=1e-6)
    assert found["loss"] == pytest.approx(log_loss(truth, probabilities), abs=1e-6)
    error = multiclass_calibration_error(
        torch.tensor(probabilities), torch.tensor(truth), labels, n_bins=15
    )
    assert found["calibration_error"] == pytest.approx(float(error), abs=1e-6)
    assert "f1" not in found


def test_labels_that_do_not_occur_count_in_no_mean() -> None:
    truth, logits = many(600, 4)
    logits[:, 3] = -50
    is_there = truth < 3
    found = measured_many(truth[is_there], logits[is_there]).result()
    expected = measured_many(truth[is_there], logits[is_there][:, :3]).result()
    for name, value in expected.items():
        assert found[name] == pytest.approx(value), name


def test_the_grid_is_fine_where_probabilities_are_small() -> None:
    truth, logits = many(3_000, 1_000)
    areas, exact = RocAreas(range(1_000), most_scores=1), RocAreas(range(1_000))
    probabilities = np.exp(logits.astype(np.float64))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    for each in (areas, exact):
        each.add(truth, probabilities)
    found = np.array(areas.result(), dtype=np.float64)
    wanted = np.array(exact.result(), dtype=np.float64)
    assert np.nanmean(found) == pytest.approx(np.nanmean(wanted), abs=1e-3)
    assert np.nanmean(np.abs(found - wanted)) < 0.01


def test_a_hopeless_logit_has_a_loss_that_is_its_distance() -> None:
    found = measured_many(np.array([0]), np.array([[0.0, 2_000.0, 0.0]])).result()
    assert found["loss"] == pytest.approx(2_000)
