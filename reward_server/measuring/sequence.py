"""Bounds that hold at all times at once, so that one may look after every audit and stop when one likes.

For k of n, every n at once, with probability 95 %:

    p is inside   iff   p^k · (1 - p)^(n - k) > alpha · B(k + 1/2, n - k + 1/2) / B(1/2, 1/2)

The right side over the left is what somebody wins who bets against p, mixing all bets (a betting confidence sequence;
Robbins 1970, Waudby-Smith and Ramdas 2024): were p the truth, a fair game, which passes 1 / alpha with a chance of
alpha at most, ever (Ville). An ordinary 95 % interval that is looked at after each audit is wrong at some time with a
chance that grows without end.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, lgamma, log

from reward_server.measuring.confusion import Counts

ALPHA = 0.05
_STEPS = 40
"""Bisections: 1e-12."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """An interval that holds at all times at once."""

    low: float
    high: float


def share_bounds(k: int, n: int, alpha: float = ALPHA) -> Bounds:
    """Of the share behind k of n.

    >>> share_bounds(0, 0)
    Bounds(low=0.0, high=1.0)
    >>> bounds = share_bounds(90, 100); round(bounds.low, 2), round(bounds.high, 2)
    (0.77, 0.97)
    """
    if not n:
        return Bounds(0.0, 1.0)
    least = log(alpha) + _log_beta(k + 0.5, n - k + 0.5) - _log_beta(0.5, 0.5)
    peak = k / n
    return Bounds(_edge(k, n, least, 0.0, peak), _edge(k, n, least, 1.0, peak))


def informativeness_bounds(counts: Counts, alpha: float = ALPHA) -> Bounds:
    """Of J: see `confusion`. J grows with a1 and falls with a0, so its bounds lie at the corners of theirs.

    J is below 0 just where a0 is above a1: where what is paid is less often right than what is not.
    """
    v = counts.share_of_ones
    if v is None:
        return Bounds(-1.0, 1.0)
    ones = share_bounds(counts.right_ones, counts.audited_ones, alpha / 2)
    zeros = share_bounds(counts.right_zeros, counts.audited_zeros, alpha / 2)
    return Bounds(_informativeness(v, ones.low, zeros.high), _informativeness(v, ones.high, zeros.low))


def _informativeness(v: float, a1: float, a0: float) -> float:
    accuracy = v * a1 + (1 - v) * a0
    spread = accuracy * (1 - accuracy)
    return v * (1 - v) * (a1 - a0) / spread if spread > 0 else 0.0


def _edge(k: int, n: int, least: float, outside: float, inside: float) -> float:
    """Between a place outside, or at the border, and one inside: where the likelihood is `least`."""
    if _log_likelihood(k, n, outside) > least:
        return outside
    for _ in range(_STEPS):
        middle = (outside + inside) / 2
        if _log_likelihood(k, n, middle) > least:
            inside = middle
        else:
            outside = middle
    return outside


def _log_likelihood(k: int, n: int, p: float) -> float:
    return _times_log(k, p) + _times_log(n - k, 1 - p)


def _times_log(times: int, p: float) -> float:
    return 0.0 if times == 0 else -inf if p <= 0 else times * log(p)


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)
