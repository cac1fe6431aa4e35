"""Student's t, the binomial and the beta distribution are scipy's."""

import math
import random

import pytest
from scipy import special, stats

from nsmc.comparison.distributions import regularized_beta, sign_test, t_quantile, two_sided_p


def test_the_incomplete_beta_function_is_scipys() -> None:
    draw = random.Random(1)
    for _ in range(500):
        a, b = 10 ** draw.uniform(-1, 5), 10 ** draw.uniform(-1, 5)
        centre, width = a / (a + b), math.sqrt(a * b / (a + b + 1)) / (a + b)
        x = min(max(draw.gauss(centre, width), 1e-9), 1 - 1e-9)
        assert regularized_beta(a, b, x) == pytest.approx(special.betainc(a, b, x), abs=1e-8)
    assert (regularized_beta(2, 3, 0), regularized_beta(2, 3, 1)) == (0, 1)


@pytest.mark.parametrize("freedom", [1, 2.5, 4, 30, 7499, 1e6, 1e12, math.inf])
def test_student_s_t_is_scipys(freedom: float) -> None:
    for t in (0.0, 0.1, 1.0, -2.0, 4.0, 12.0):
        expected = 2 * stats.t.sf(abs(t), freedom)
        assert two_sided_p(t, freedom) == pytest.approx(expected, rel=1e-6, abs=1e-300)
    for confidence in (0.5, 0.95, 0.999):
        expected = stats.t.isf((1 - confidence) / 2, freedom)
        assert t_quantile(confidence, freedom) == pytest.approx(expected, rel=1e-6)
    assert two_sided_p(math.inf, freedom) == 0


@pytest.mark.parametrize(
    "counts", [(0, 0), (1, 0), (3, 3), (4, 5), (0, 5), (2, 8), (8, 2), (100, 160), (20_000, 20_500)]
)
def test_the_sign_test_is_scipys(counts: tuple[int, int]) -> None:
    expected = stats.binomtest(counts[0], sum(counts)).pvalue if any(counts) else 1.0
    assert sign_test(*counts) == pytest.approx(expected, rel=1e-7)
