"""A planted change raises the alarm, and none does not."""

from __future__ import annotations

import numpy as np

from reward_server.measuring.drift import BASELINE, Cusum


def first_alarm(
    seed: int, audits: int, changes_at: int, before: tuple[float, float], after: tuple[float, float]
) -> int:
    """Of which audit on there is an alarm; `audits` where there is none. Half of the answers are right."""
    rng, verdicts = np.random.default_rng(seed), {True: Cusum(), False: Cusum()}
    for audit, (is_right, draw) in enumerate(zip(rng.random(audits) < 0.5, rng.random(audits), strict=True)):
        rates = before if audit < changes_at else after
        is_wrong = bool(draw < rates[int(is_right)])
        cusum = verdicts[bool(is_right) != is_wrong]
        cusum.add(is_wrong)
        if cusum.is_raised:
            return audit
    return audits


def test_a_planted_drift_alarms_within_1000_audits() -> None:
    for seed in range(20):
        assert 1000 <= first_alarm(seed, 2000, 1000, (0.1, 0.25), (0.3, 0.25)) < 2000
    found = [first_alarm(seed, 2000, 1000, (0.1, 0.25), (0.1, 0.5)) < 2000 for seed in range(20)]
    assert sum(found) >= 17


def test_without_a_change_at_most_one_run_in_20_alarms() -> None:
    alarms = [first_alarm(seed, 5000, 9999, (0.1, 0.25), (0, 0)) < 5000 for seed in range(60)]
    assert sum(alarms) <= 3


def test_an_alarm_ends_when_the_rates_are_as_they_were() -> None:
    cusum = Cusum()
    for audit in range(BASELINE):
        cusum.add(audit % 10 == 0)
    assert cusum.is_ready and not cusum.is_raised
    for _ in range(20):
        cusum.add(True)
    assert cusum.is_raised
    for audit in range(200):
        cusum.add(audit % 10 == 0)
    assert not cusum.is_raised


def test_a_verdict_that_is_never_or_always_wrong_breaks_nothing() -> None:
    for is_wrong in (True, False):
        cusum = Cusum()
        for _ in range(2 * BASELINE):
            cusum.add(is_wrong)
        assert not cusum.is_raised
