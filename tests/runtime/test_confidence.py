"""The temperature that is fitted, and what a bundle says of its probabilities."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from nsmc.runtime.bundle import CONFIG_FILE
from nsmc.runtime.confidence import (
    COLDEST,
    HOTTEST,
    Labels,
    fit_temperature,
    measured_confidence,
)
from nsmc.runtime.loading import read_bundle
from nsmc.runtime.predictor import Predictor, UnsurePrediction
from nsmc.runtime.softmax import Logits, exact_softmax
from tests.bundles import random_bundle

TEXTS = ["정말 최고예요", "별로", "good movie", ""]


def drawn(temperature: float, label_count: int, count: int = 20_000) -> tuple[Labels, Logits]:
    """Labels that have the probabilities softmax(logits / temperature)."""
    generator = np.random.default_rng(label_count)
    logits = generator.normal(0, 2, (count, label_count))
    uniform = generator.random((count, 1))
    labels = (exact_softmax(logits / temperature).cumsum(axis=1) < uniform).sum(axis=1)
    return np.minimum(labels, label_count - 1), logits


@pytest.mark.parametrize("label_count", [2, 5])
@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_behind_the_labels_is_found(temperature: float, label_count: int) -> None:
    labels, logits = drawn(temperature, label_count)
    assert fit_temperature(labels, logits) == pytest.approx(temperature, rel=0.06)
    found = measured_confidence(labels, logits)
    assert found is not None
    assert found["calibration_error"] < 0.02
    if temperature != 1:
        assert found["calibration_error"] < 0.3 * found["calibration_error_before"]


@given(st.integers(0, 1000), st.integers(2, 4))
@settings(deadline=None, max_examples=20)
def test_no_other_temperature_has_a_lower_cross_entropy(seed: int, label_count: int) -> None:
    generator = np.random.default_rng(seed)
    logits = generator.normal(0, 3, (30, label_count))
    labels = generator.integers(0, label_count, 30)
    found = fit_temperature(labels, logits)

    def loss(temperature: float) -> float:
        scaled = torch.from_numpy(logits / temperature)
        return float(F.cross_entropy(scaled, torch.from_numpy(labels)))

    for factor in (0.9, 0.99, 1.01, 1.1):
        if COLDEST < factor * found < HOTTEST:
            assert loss(found) <= loss(factor * found) + 1e-9


def test_labels_that_are_always_or_never_right_end_at_the_limits() -> None:
    logits = np.array([[3.0, 0.0], [0.0, 3.0]] * 100)
    labels = np.array([0, 1] * 100)
    assert fit_temperature(labels, logits) == pytest.approx(COLDEST)
    assert fit_temperature(1 - labels, logits) == pytest.approx(HOTTEST)


def test_of_few_reviews_nothing_is_said() -> None:
    assert measured_confidence(np.zeros(99, int), np.zeros((99, 2))) is None
    assert measured_confidence(np.zeros(100, int), np.zeros((100, 2))) is not None


def confident(temperature: float) -> dict[str, Any]:
    found = measured_confidence(*drawn(1, 2, 200))
    assert found is not None
    return {**found, "temperature": temperature}


@pytest.mark.parametrize("labels", [("negative", "positive"), ("a", "b", "c")])
def test_a_predictor_divides_by_the_temperature_and_answers_the_same_labels(
    tmp_path: Path, labels: tuple[str, ...]
) -> None:
    plain = Predictor.load(random_bundle(tmp_path / "plain", labels=labels))
    scaled = Predictor.load(
        random_bundle(tmp_path / "scaled", labels=labels, confidence=confident(2.5))
    )
    logits = plain.logits(plain.encode(TEXTS))
    np.testing.assert_array_equal(scaled.logits(scaled.encode(TEXTS)), logits)
    expected = exact_softmax(logits.astype(np.float64) / 2.5)
    np.testing.assert_allclose(scaled.probabilities(TEXTS), expected, atol=1e-6)
    assert [answer.label for answer in scaled(TEXTS)] == [answer.label for answer in plain(TEXTS)]
    found = [answer.probability for answer in scaled(TEXTS)]
    np.testing.assert_allclose(found, expected.max(axis=1), atol=1e-6)


def test_an_answer_below_the_threshold_is_unsure(tmp_path: Path) -> None:
    predictor = Predictor.load(random_bundle(tmp_path / "bundle"))
    answers = predictor(TEXTS)
    threshold = sorted(answer.probability for answer in answers)[2]
    found = predictor(TEXTS, unsure_below=threshold)
    assert found == answers
    for answer in found:
        assert answer.is_unsure == isinstance(answer, UnsurePrediction)
        assert answer.is_unsure == (answer.probability < threshold)
    assert not any(answer.is_unsure for answer in answers)
    for wrong in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match=r"a probability is from 0 to 1"):
            predictor(TEXTS, unsure_below=wrong)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"temperature": 0}, r"temperature is 0; expected a number from 0\.05 to 20\.0"),
        ({"temperature": "1"}, r"temperature is '1'"),
        ({"temperature": True}, r"temperature is True"),
        ({"reviews": None}, r"reviews is None; expected a number"),
        ({"reviews": 10**400}, r"reviews is 10*; expected a number"),
        ({"calibration_error": float("nan")}, r"calibration_error is nan; expected a number"),
        ({"coverage": [{"share": 1}]}, r"coverage is .*; expected rows of share, accuracy"),
        ({"texts": {"reviews": 1, "tokens": {"mean": 10**400}}}, r"texts: tokens is"),
        ({"texts": []}, r"texts: it is \[\], not a table"),
    ],
)
def test_a_damaged_confidence_is_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    path = random_bundle(tmp_path / "bundle", confidence=confident(2)) / CONFIG_FILE
    content = json.loads(path.read_text("utf-8"))
    content["confidence"] |= changes
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ValueError, match=rf"config\.json: confidence is damaged: {message}"):
        read_bundle(path.parent)
