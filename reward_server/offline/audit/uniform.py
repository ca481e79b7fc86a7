"""Are draws uniform on 0 … 1? The greatest distance of their steps from the straight line (Kolmogorov and Smirnov).

    D = max |share of draws up to u - u|,     P(D > d) ~ 2 Σ (-1)^(k-1) exp(-2 k² z²),   z = d (√n + 0.12 + 0.11/√n)

The factor is Stephens' (1970), good from about five draws on.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import exp, sqrt


def distance(sorted_draws: Iterable[float], n: int) -> float:
    """D of n draws in ascending order.

    >>> distance([0.5], 1)
    0.5
    """
    found = 0.0
    for before, draw in enumerate(sorted_draws):
        found = max(found, draw - before / n, (before + 1) / n - draw)
    return found


def chance(d: float, n: int) -> float:
    """How likely a distance of at least d is where the draws are uniform.

    >>> round(chance(1.36 / 100, 10_000), 2)
    0.05
    """
    if n == 0:
        return 1.0
    z = d * (sqrt(n) + 0.12 + 0.11 / sqrt(n))
    if z < 0.3:
        return 1.0  # 1 - 1e-5: there the sum does not converge
    terms = [(1.0 if k % 2 else -1.0) * exp(-2 * k * k * z * z) for k in range(1, 101)]
    return min(1.0, max(0.0, 2 * sum(terms)))
