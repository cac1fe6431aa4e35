"""How right the surest answers are, beside what counting one by one finds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nsmc.runtime.coverage import Coverage, Surest

# Probabilities in the middle of the cells that are counted, so that rounding does not matter.
answers = st.lists(
    st.tuples(st.integers(0, 9_999).map(lambda cell: (cell + 0.5) / 10_000), st.booleans()),
    min_size=1,
    max_size=40,
)


def coverage_of(*pairs: tuple[float, bool]) -> Coverage:
    coverage = Coverage()
    for half in (pairs[::2], pairs[1::2]):  # it adds up what comes in parts
        probabilities = np.array([probability for probability, _ in half], np.float64)
        coverage.add(probabilities, np.array([is_right for _, is_right in half], bool))
    return coverage


def test_a_hand_worked_case() -> None:
    coverage = coverage_of((0.99, True), (0.95, True), (0.9, False), (0.8, True), (0.6, False))
    assert coverage.surest(0.2) == Surest(0.2, 1.0, 0.99)
    assert coverage.surest(0.5) == Surest(0.6, 2 / 3, 0.9)
    assert coverage.surest(1.0) == Surest(1.0, 0.6, 0.6)
    assert coverage.where_right(1.0) == Surest(0.4, 1.0, 0.95)
    assert coverage.where_right(0.75) == Surest(0.8, 0.75, 0.8)  # more than the first three
    assert coverage.where_right(0.5) == Surest(1.0, 0.6, 0.6)


def test_where_the_surest_answer_is_wrong_a_high_accuracy_is_out_of_reach() -> None:
    assert coverage_of((0.9, False), (0.8, True)).where_right(0.6) is None


def test_answers_of_one_probability_stay_together() -> None:
    coverage = coverage_of((0.7, True), (0.7, False), (0.7, True), (1.0, True))
    assert coverage.surest(0.5) == Surest(1.0, 0.75, 0.7)
    assert coverage.surest(0.25) == Surest(0.25, 1.0, 1.0)


@given(answers, st.floats(0.01, 1))
@settings(deadline=None)
def test_thresholds_hold_for_the_answers_themselves(
    pairs: list[tuple[float, bool]], wanted: float
) -> None:
    coverage = coverage_of(*pairs)

    def above(threshold: float) -> list[bool]:
        return [is_right for probability, is_right in pairs if probability >= threshold]

    surest = coverage.surest(wanted)
    kept = above(surest.probability)
    assert len(kept) == round(surest.share * len(pairs)) >= wanted * len(pairs) - 1e-6
    assert np.mean(kept) == pytest.approx(surest.accuracy)
    thresholds = sorted({probability for probability, _ in pairs})
    good = [each for each in thresholds if np.mean(above(each)) >= wanted - 1e-9]
    found = coverage.where_right(wanted)
    assert (found is None) == (not good)
    if found is not None:
        assert len(above(found.probability)) == len(above(good[0]))
