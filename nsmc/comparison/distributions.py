"""Student's t and the binomial distribution, which the standard library lacks."""

import math

_MOST_TERMS = 10_000  # of a continued fraction; it takes about sqrt(max(a, b)) of them
_TINY = 1e-300


def two_sided_p(t: float, freedom: float) -> float:
    """The probability that Student's t is at least as far from 0 as `t`."""
    if math.isinf(t):
        return 0.0
    if freedom > 1e8:  # which is the normal distribution to all digits
        return math.erfc(abs(t) / math.sqrt(2))
    return regularized_beta(freedom / 2, 0.5, freedom / (freedom + t * t))


def t_quantile(confidence: float, freedom: float) -> float:
    """How far from 0 Student's t stays with that probability: 1.96 for 0.95 of a normal one."""
    low, high = 0.0, 1.0
    while two_sided_p(high, freedom) > 1 - confidence:
        low, high = high, 2 * high
    for _ in range(60):  # halvings, which leave nothing of a float
        middle = (low + high) / 2
        if two_sided_p(middle, freedom) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def sign_test(first: int, second: int) -> float:
    """The exact probability that a fair coin divides as many tosses at least as unevenly."""
    tosses, fewer = first + second, min(first, second)
    if 2 * fewer >= tosses - 1:
        return 1.0
    return min(1.0, 2 * regularized_beta(tosses - fewer, fewer + 1, 0.5))


def regularized_beta(a: float, b: float, x: float) -> float:
    """The incomplete beta function I_x(a, b), from 0 to 1.

    By its continued fraction (Abramowitz and Stegun 26.5.8), evaluated with Lentz's method.
    """
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):  # beyond it the fraction converges slowly
        return 1 - regularized_beta(b, a, 1 - x)
    log_beta = math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    front = math.exp(a * math.log(x) + b * math.log1p(-x) - log_beta) / a
    fraction, c, d = 1.0, 1.0, 0.0
    for term in range(_MOST_TERMS):
        half = term // 2
        if term == 0:
            numerator = 1.0
        elif term % 2 == 0:
            numerator = half * (b - half) * x / ((a + term - 1) * (a + term))
        else:
            numerator = -(a + half) * (a + b + half) * x / ((a + term - 1) * (a + term))
        d = 1 / (1 + numerator * d or _TINY)
        c = 1 + numerator / c or _TINY
        fraction *= c * d
        if abs(1 - c * d) < 1e-14:
            break
    return front * (fraction - 1)
