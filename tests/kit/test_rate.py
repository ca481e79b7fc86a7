"""A rate is measured by sums, and forgets."""

from __future__ import annotations

import pytest

from reward_server.kit.rate import Rate


def test_nothing_measured_is_0() -> None:
    assert Rate(keep=0.8).value == 0


def test_one_large_step_outweighs_many_small_ones() -> None:
    rate = Rate(keep=0.8)
    for _ in range(50):
        rate.add(1, 0.01)
    assert rate.value == pytest.approx(100)
    rate.add(10_000, 0.3)
    # the small ones still count as 4 in 0.04
    assert rate.value == pytest.approx((4 + 10_000) / (0.04 + 0.3), rel=0.01)


def test_by_steps_of_one_it_is_a_moving_average() -> None:
    rate, average = Rate(keep=0.95, amount=20 * 0.01, per=20), 0.01
    for seconds in (0.5, 0.001, 2.0, 0.02):
        rate.add(seconds, 1)
        average += 0.05 * (seconds - average)
        assert rate.value == pytest.approx(average)
