"""The mean of what reviews add is the metric, and its spread that of resampled reviews."""

import numpy as np
import pytest
import torch

from nsmc.comparison.answers import Answers, ReviewKeys, answers_of, as_ids
from nsmc.comparison.contributions import contributions
from nsmc.training.metrics import classification_metrics

METRICS = ("accuracy", "macro_f1", "f1", "auroc", "loss")


def example(count: int = 400, labels: int = 2, seed: int = 0) -> tuple[Answers, dict[str, float]]:
    """Answers that are often right, and torchmetrics' figures for them."""
    draw = np.random.default_rng(seed)
    true = draw.integers(labels, size=count)
    logits = draw.normal(size=(count, labels)) + 1.2 * np.eye(labels)[true]
    probabilities = torch.from_numpy(logits).softmax(dim=1)
    keys = ReviewKeys(as_ids(f"{n:06}" for n in range(count)), np.zeros(count, np.uint16))
    metrics = classification_metrics("", labels)
    metrics.update(probabilities, torch.from_numpy(true))
    known = {name.lstrip("/"): float(value) for name, value in metrics.compute().items()}
    known["loss"] = float(-probabilities[torch.arange(count), true].log().mean())
    names = [f"label {number}" for number in range(labels)]
    return answers_of(keys, true, probabilities.numpy(), names), known


@pytest.mark.parametrize("metric", METRICS)
def test_the_mean_is_the_metric(metric: str) -> None:
    answers, known = example()
    added = contributions(answers, metric)
    assert added is not None
    assert added.mean() == pytest.approx(known[metric], abs=1e-6)


@pytest.mark.parametrize("metric", METRICS)
def test_the_spread_is_that_of_resampled_reviews(metric: str) -> None:
    answers, _ = example()
    added = contributions(answers, metric)
    assert added is not None
    draw, means = np.random.default_rng(1), []
    for _ in range(400):
        rows = np.sort(draw.integers(len(answers), size=len(answers)))
        of_these = contributions(answers.take(rows), metric)
        assert of_these is not None
        means.append(of_these.mean())
    assert np.std(means) == pytest.approx(added.std() / len(answers) ** 0.5, rel=0.15)


def test_of_more_labels_what_is_not_kept_is_not_guessed() -> None:
    answers, known = example(labels=4)
    for metric in ("accuracy", "macro_f1", "loss"):
        added = contributions(answers, metric)
        assert added is not None
        assert added.mean() == pytest.approx(known[metric], abs=1e-6)
    assert contributions(answers, "f1") is None
    assert contributions(answers, "auroc") is None
    assert contributions(answers, "anything") is None


def test_of_one_label_alone_there_is_no_area() -> None:
    answers, _ = example()
    assert contributions(answers.take(answers.labels == 1), "auroc") is None


def test_a_label_that_is_nowhere_does_not_count() -> None:
    answers, _ = example()
    three = Answers(**{**vars(answers), "names": ("a", "b", "c")})
    two, same = contributions(answers, "macro_f1"), contributions(three, "macro_f1")
    assert two is not None and same is not None
    assert np.array_equal(two, same)
