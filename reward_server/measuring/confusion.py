"""How often a verdict is wrong, from all that were given and a share of them that was audited.

    v      = P(V = 1) of all traffic                       V: the verdict, Y: what the audit says
    a1, a0 = k1/n1, k0/n0                                  share of Y = 1 among the audited of V = 1, of V = 0
    q      = v·a1 + (1 - v)·a0                             accuracy of the policy, as the audit sees it
    rho_0  = v·(1 - a1) / (1 - q)                          false positives, P(V = 1 | Y = 0)
    rho_1  = (1 - v)·a0 / q                                false negatives, P(V = 0 | Y = 1)
    J      = 1 - rho_0 - rho_1                             what V still says of Y: 1 all, 0 nothing

An interval is the middle 95 % of `DRAWS` draws of (a1, a0) from Beta(k + 1/2, n - k + 1/2), pushed through the
formulas. A Wilson interval on rho is wrong: its denominator is estimated too. Where the number of questions in the
traffic is known, v is drawn too, from as many: the interval is then of the rates behind this traffic. Otherwise it is
of the traffic itself, and a little narrower.

Audit **one rollout of a group**. Rollouts of a question share their fate, so 50 whole groups of 8 hold far less than
400 independent verdicts: where errors are shared half of the time the 95 % interval then covers 62 to 68 %.

The draws begin with the same number each time, so the same counts give the same interval. Not covered: an auditor that
errs itself (everything is relative to it), audits that were not chosen at random among those of one verdict, rates that
move while they are counted.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
DRAWS = 4000
_MIDDLE = (0.025, 0.975)
ENOUGH = 30
"""Audits of each verdict from which on an interval says something: below, it is nearly as wide as the prior."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What was seen. Verdicts of all traffic, then the audited ones among them, then those that the audit calls right.

    >>> Counts(ones=2, zeros=1) + Counts(ones=1, zeros=3, audited_zeros=1)
    Counts(ones=3, zeros=4, audited_ones=0, right_ones=0, audited_zeros=1, right_zeros=0, questions=0)
    """

    ones: int = 0
    zeros: int = 0
    audited_ones: int = 0
    """n1"""
    right_ones: int = 0
    """k1: paid, and right."""
    audited_zeros: int = 0
    """n0"""
    right_zeros: int = 0
    """k0: not paid, and right all the same."""
    questions: int = 0
    """Groups (of one visit each) in the traffic; 0: not known."""

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(Counts)))

    @property
    def share_of_ones(self) -> float | None:
        """v; None where there was no traffic."""
        total = self.ones + self.zeros
        return self.ones / total if total else None

    @property
    def audited(self) -> int:
        """n1 + n0."""
        return self.audited_ones + self.audited_zeros


@dataclass(frozen=True, slots=True)
class Interval:
    """`value`: the estimate. `low`, `high`: the middle 95 %."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """See the module. Of a verdict that was never given the audit can say nothing, and needs not."""

    false_positive_prob: Interval
    false_negative_prob: Interval
    informativeness: Interval
    """J"""
    accuracy: Interval
    precision: Interval | None
    """a1: of what was paid, how much is right. None: nothing was paid."""
    false_omission: Interval | None
    """a0: of what was not paid, how much is right. None: all was paid."""


def counted(verdicts: list[tuple[bool, bool | None]]) -> Counts:
    """From (V, Y) of each sample; Y None: not audited.

    >>> counted([(True, None), (True, True), (False, True)])
    Counts(ones=2, zeros=1, audited_ones=1, right_ones=1, audited_zeros=1, right_zeros=1, questions=0)
    """
    ones = [audit for verdict, audit in verdicts if verdict]
    zeros = [audit for verdict, audit in verdicts if not verdict]
    return Counts(len(ones), len(zeros), *_audited(ones), *_audited(zeros))


def _audited(audits: list[bool | None]) -> tuple[int, int]:
    return len([audit for audit in audits if audit is not None]), len([audit for audit in audits if audit])


def too_few(counts: Counts) -> str | None:
    """In words, what is missing for an estimate; None where nothing is."""
    if not counts.ones + counts.zeros:
        return "nothing was graded yet"
    wanted = [
        f"{audited} audited of the {given} that the verdict called {name}, at least {ENOUGH} are needed"
        for name, given, audited in (
            ("right", counts.ones, counts.audited_ones),
            ("wrong", counts.zeros, counts.audited_zeros),
        )
        if given and audited < ENOUGH
    ]
    return "too few: " + "; ".join(wanted) if wanted else None


@lru_cache(256)
def estimate(counts: Counts) -> Estimate | None:
    """The rates with their intervals; None where a verdict that was given was never audited.

    However few were audited, the interval is valid. `too_few` says when it is too wide to be of use.
    """
    v = counts.share_of_ones
    if v is None or (counts.ones and not counts.audited_ones) or (counts.zeros and not counts.audited_zeros):
        return None
    ones, zeros = _Share(counts.right_ones, counts.audited_ones), _Share(counts.right_zeros, counts.audited_zeros)
    points = _rates(np.array([v]), np.array([ones.value]), np.array([zeros.value]))
    a1, a0 = ones.draws(_generator(1)), zeros.draws(_generator(0))
    drawn = _rates(_shares_of_ones(v, counts.questions), a1, a0)
    rho_0, rho_1, informativeness, accuracy = map(_interval, points, drawn)
    return Estimate(
        rho_0,
        rho_1,
        informativeness,
        accuracy,
        precision=_interval(np.array([ones.value]), a1) if counts.ones else None,
        false_omission=_interval(np.array([zeros.value]), a0) if counts.zeros else None,
    )


@dataclass(frozen=True, slots=True)
class _Share:
    """k of n, and what may stand behind it."""

    k: int
    n: int

    @property
    def value(self) -> float:
        return self.k / self.n if self.n else 0.0  # of a verdict that never came: its weight is 0

    def draws(self, generator: np.random.Generator) -> Array:
        return generator.beta(self.k + 0.5, self.n - self.k + 0.5, DRAWS)


def _shares_of_ones(v: float, questions: int) -> Array:
    """v, as it may be behind so many questions: its error is at most that of one verdict for each of them."""
    if not questions or v in (0, 1):
        return np.full(DRAWS, v)
    return _generator(2).beta(v * questions + 0.5, (1 - v) * questions + 0.5, DRAWS)


def _generator(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def _rates(v: Array, a1: Array, a0: Array) -> tuple[Array, Array, Array, Array]:
    """rho_0, rho_1, J and q. Where no answer is wrong, or none is right, the rate of their errors is taken to be 0.

    A verdict that never came, or always, says nothing: J is 0.
    """
    accuracy = v * a1 + (1 - v) * a0
    false_positives, false_negatives = v * (1 - a1), (1 - v) * a0
    rho_0 = np.divide(false_positives, 1 - accuracy, out=np.zeros_like(a1), where=false_positives > 0)
    rho_1 = np.divide(false_negatives, accuracy, out=np.zeros_like(a1), where=false_negatives > 0)
    rho_0, rho_1 = np.where(v == 1, 1.0, rho_0), np.where(v == 0, 1.0, rho_1)
    return rho_0, rho_1, 1 - rho_0 - rho_1, accuracy


def _interval(point: Array, drawn: Array) -> Interval:
    value = float(point[0])
    low, high = map(float, np.quantile(drawn, _MIDDLE))
    return Interval(value, min(low, value), max(high, value))  # at 0 of n the middle of the draws leaves 0 out
