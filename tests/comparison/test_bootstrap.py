"""Intervals of a paired bootstrap are those that resampling review by review would give."""

import numpy as np
import pytest

from nsmc.comparison import bootstrap
from nsmc.comparison.answers import Answers, ReviewKeys, answers_of, as_ids
from nsmc.comparison.contributions import contributions


def two(labels: int, count: int = 300) -> tuple[Answers, Answers]:
    random = np.random.default_rng(0)
    true = random.integers(labels, size=count)
    keys = ReviewKeys(as_ids(f"{n:05}" for n in range(count)), np.zeros(count, np.uint16))
    names = [str(number) for number in range(labels)]
    drawn = [random.random((count, labels)) + skill * np.eye(labels)[true] for skill in (0.5, 0.3)]
    first, second = (
        answers_of(keys, true, scores / scores.sum(axis=1, keepdims=True), names)
        for scores in drawn
    )
    return first, second


@pytest.mark.parametrize("labels", [2, 5])
@pytest.mark.parametrize("metric", ["accuracy", "macro_f1"])
def test_reviews_are_drawn_together(labels: int, metric: str) -> None:
    first, second = two(labels)
    random, differences = np.random.default_rng(5), []
    for _ in range(2_000):
        rows = random.integers(len(first), size=len(first))
        values = [contributions(each.take(rows), metric) for each in (first, second)]
        assert values[0] is not None and values[1] is not None
        differences.append(values[0].mean() - values[1].mean())
    expected = np.percentile(differences, [2.5, 97.5])
    assert bootstrap.intervals(first, second)[metric] == pytest.approx(expected, abs=0.006)


def test_draws_come_in_pieces_where_they_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = two(5)
    whole = bootstrap.intervals(first, second)
    monkeypatch.setattr(bootstrap, "_CELLS", 10_000)
    pieces = bootstrap.intervals(first, second)
    for metric, bounds in whole.items():
        assert pieces[metric] == pytest.approx(bounds, abs=0.004)
