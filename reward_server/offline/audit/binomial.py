"""k of n draws were flipped: exact intervals and exact tests, by the regularised incomplete beta function.

    P(X >= k) = I_p(k, n - k + 1)          X binomial with n and p

Intervals are Clopper and Pearson's (1934): they cover 95 % or more, for every n and p. The function is computed by its
continued fraction (Lentz's method), to about twelve digits.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, exp, lgamma, log, log1p, sqrt
from statistics import NormalDist

_TINY = 1e-300
_CLOSE = 1e-13
_MAX_TERMS = 100_000
_POWER = 0.8
_STEPS = 60
"""Bisections of an interval's end: beyond a double's digits."""


def interval(k: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """The exact interval of the share behind k of n, n at least 1.

    >>> [round(end, 4) for end in interval(4, 10)]
    [0.1216, 0.7376]
    """
    tail = (1 - confidence) / 2
    low = 0.0 if k == 0 else _root(lambda p: at_least(k, n, p) - tail)
    high = 1.0 if k == n else _root(lambda p: at_least(k + 1, n, p) - (1 - tail))
    return low, high


def chance(k: int, n: int, p: float) -> float:
    """How likely a count at least as far out as k is, on either side, where the share is p: an exact test.

    >>> round(chance(60, 100, 0.5), 4)
    0.0569
    """
    if n == 0:
        return 1.0
    return min(1.0, 2 * min(at_least(k, n, p), 1 - at_least(k + 1, n, p)))


def draws_needed(difference: float, p: float, level: float) -> int:
    """How many draws show a true share that is `difference` away from p, in four of five runs, to a test at `level`.

    By the normal approximation, q being the further of p ± difference from 0 and 1 (0.8: four of five):

        ((z of 1 - level / 2) · √(p (1 - p)) + (z of 0.8) · √(q (1 - q)))² / difference²

    >>> draws_needed(0.1, 0.4, 0.005), draws_needed(0.01, 0.4, 0.005)
    (323, 32009)
    """
    spread = max(q * (1 - q) for q in (p - difference, p + difference))
    z = [NormalDist().inv_cdf(share) for share in (1 - level / 2, _POWER)]
    return ceil((z[0] * sqrt(p * (1 - p)) + z[1] * sqrt(spread)) ** 2 / difference**2)


def at_least(k: int, n: int, p: float) -> float:
    """P(X >= k)."""
    if k <= 0 or k > n:
        return float(k <= 0)
    if p <= 0 or p >= 1:
        return float(p >= 1)
    return _beta(k, n - k + 1, p)


def _beta(a: float, b: float, x: float) -> float:
    """I_x(a, b), where 0 < x < 1."""
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x))
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(a, b, x) / a
    return 1 - front * _fraction(b, a, 1 - x) / b


def _fraction(a: float, b: float, x: float) -> float:
    c, d = 1.0, 1 / _away(1 - (a + b) * x / (a + 1))
    found = d
    for m in range(1, _MAX_TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / _away(1 + term * d)
            c = _away(1 + term / c)
            found *= c * d
        if abs(c * d - 1) < _CLOSE:
            break
    return found


def _away(value: float) -> float:
    """From 0, which would be divided by."""
    return value if abs(value) > _TINY else _TINY


def _root(rises: Callable[[float], float]) -> float:
    """Where a function that rises from below 0 to above 0 in 0 … 1 is 0."""
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if rises(middle) < 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2
