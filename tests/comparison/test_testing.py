"""The test of settings: hand-worked cases, and how often it is wrong in simulations."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from nsmc.comparison.testing import (
    LEVEL,
    Runs,
    against,
    corrected,
    difference,
    mcnemar,
    mean,
    p_values,
)
from tests.comparison.simulation import Simulation


def runs(*rows: list[float]) -> Runs:
    return np.array(rows, dtype=np.float64)


def test_of_single_runs_the_error_is_that_of_the_reviews() -> None:
    first, second = runs([1, 1, 0, 1, 1]), runs([1, 0, 0, 1, 0])
    estimate = difference([(first, second)])
    expected = stats.ttest_rel(first[0], second[0])
    assert estimate.value == pytest.approx(0.4)
    assert estimate.error == pytest.approx(math.sqrt(0.3 / 5))
    assert estimate.freedom == 4
    # Two reviews differ, and two coins fall alike every other time.
    assert expected.pvalue < estimate.p == 0.5
    low, high = mean([first]).interval()
    assert (low + high) / 2 == pytest.approx(0.8)


def test_seeds_that_differ_on_every_review_alike_have_their_own_t_test() -> None:
    # No residual: what is left between the settings are the seeds, two samples of three.
    reviews = np.linspace(0, 1, 50)
    first, second = ([0.1, 0.4, 0.2], [0.5, 0.9, 0.6])
    a, b = (np.array(shifts)[:, None] + reviews for shifts in (first, second))
    estimate = difference([(a, b)])
    expected = stats.ttest_ind(first, second, equal_var=False)
    assert estimate.p == pytest.approx(expected.pvalue)
    assert estimate.freedom == pytest.approx(expected.df)


def test_each_seed_on_its_own_reviews_is_a_pair() -> None:
    # No review differs from another one, so that the sets of reviews are all there is.
    pairs = [(np.full((1, 9), a), np.full((1, 9), b)) for a, b in ((5.0, 3.0), (7, 4), (9, 8))]
    estimate = difference(pairs)
    expected = stats.ttest_rel([5, 7, 9], [3, 4, 8])
    assert (estimate.value, estimate.freedom) == (2, 2)
    assert estimate.p == pytest.approx(expected.pvalue)


def test_a_setting_of_one_run_is_taken_to_vary_as_the_other_one() -> None:
    random = np.random.default_rng(0)
    shifts = random.normal(size=(4, 1))
    many, one = shifts + np.zeros((4, 30)), np.zeros((1, 30))
    estimate = difference([(many, one)])
    # The variance of the mean of four and of one, both from three degrees of freedom.
    assert estimate.error**2 == pytest.approx(shifts.var(ddof=1) * (1 / 4 + 1))
    assert estimate.freedom == pytest.approx(3)


def test_equal_answers_are_no_difference_and_few_reviews_prove_nothing() -> None:
    same = runs([1, 0, 1], [1, 1, 0])
    assert difference([(same, same)]).p == 1
    assert difference([(runs([1, 1, 1, 1]), runs([0, 0, 0, 0]))]).p == 0.125
    assert difference([(np.ones((1, 2000)), np.zeros((1, 2000)))]).p < 1e-200


def test_mcnemar_counts_the_reviews_that_one_alone_is_right_about() -> None:
    first = np.array([True] * 8 + [False] * 2 + [True] * 50)
    second = np.array([False] * 8 + [True] * 2 + [True] * 50)
    assert mcnemar(first, second) == pytest.approx(stats.binomtest(2, 10).pvalue)
    (none, p) = p_values([{0: first[None].astype(float)}, {0: second[None].astype(float)}], 0)
    assert none is None and p == pytest.approx(stats.binomtest(2, 10).pvalue)


def test_settings_are_compared_on_the_reviews_that_they_share() -> None:
    random = np.random.default_rng(0)
    drawn = {key: (random.random((1, 40)) < 0.5).astype(float) for key in "abc"}
    flipped = {key: 1 - values for key, values in drawn.items()}
    settings = [
        {"a": drawn["a"], "b": drawn["b"]},
        {"b": flipped["b"], "c": flipped["c"]},
        {"c": drawn["c"]},
    ]
    itself, shared, nothing = against(settings, 0)
    assert itself is None and nothing is None and shared is not None
    assert shared.value == pytest.approx(2 * drawn["b"].mean() - 1)


def test_a_correction_counts_all_pairs() -> None:
    assert corrected(0.01, 2) == 0.01
    assert corrected(0.001, 12) == pytest.approx(0.066)
    assert corrected(0.5, 3) == 1


CASES = {
    "seeds as usual": Simulation(1_500, seed_deviation=0.03),
    "seeds alone": Simulation(1_500, seed_deviation=0.3),
    "reviews alone": Simulation(1_500, seed_deviation=0.0),
    "single runs": Simulation(1_500, seeds=1, seed_deviation=0.0),
    "own splits": Simulation(1_500, own_splits=True, seed_deviation=0.03),
    "six settings": Simulation(800, settings=6, seed_deviation=0.03),
}
TRIALS = 300


def share_said_worse(simulation: Simulation) -> float:
    """How many reports call a setting worse than the one that came out best."""
    random, said = np.random.default_rng(7), 0
    for _ in range(TRIALS):
        settings = simulation.draw(random)
        means = [np.mean([runs.mean() for runs in setting.values()]) for setting in settings]
        values = p_values(settings, int(np.argmax(means)))
        said += any(p < LEVEL for p in values if p is not None)
    return said / TRIALS


@pytest.mark.parametrize("case", CASES)
def test_false_alarms_are_as_rare_as_they_are_said_to_be(case: str) -> None:
    most = stats.binom.isf(0.01, TRIALS, LEVEL) / TRIALS
    assert share_said_worse(CASES[case]) <= most


def test_what_is_better_is_seen() -> None:
    assert share_said_worse(replace(CASES["reviews alone"], gain=4)) > 0.9
    assert share_said_worse(replace(CASES["six settings"], gain=12)) > 0.9
