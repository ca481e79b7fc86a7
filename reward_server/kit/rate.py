"""A rate as it was measured of late."""

from __future__ import annotations


class Rate:
    """The sum of amounts over the sum of what they were measured by, each step counting `keep` times the one after it.

    By sums, not as a mean of ratios: one large step then outweighs many small ones, whose ratios may be far off.
    `amount` and `per`: what is taken to have been measured before the first step. With `per` of 1 / (1 - keep), and
    every step by 1, it is the moving average that moves by 1 - keep of the difference.

    >>> rate = Rate(keep=0.5)
    >>> rate.value, rate.add(30, 1), rate.value, rate.add(10, 2), rate.value
    (0.0, None, 30.0, None, 10.0)
    """

    def __init__(self, keep: float, amount: float = 0.0, per: float = 0.0) -> None:
        self._keep = keep
        self._amount = amount
        self._per = per

    def add(self, amount: float, per: float) -> None:
        """Counts one step."""
        self._amount = self._keep * self._amount + amount
        self._per = self._keep * self._per + per

    @property
    def value(self) -> float:
        """The amount per unit; 0 while nothing is known."""
        return self._amount / self._per if self._per else 0.0
