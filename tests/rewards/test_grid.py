"""Calibration: the published rules by hand, and the grid."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_server.rewards.grid import calibrated, to_grid, topped_up

# --- the tables ---


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (0.0, 0.0),
        (1.0, 1.0),
        (0.525, 538 / 1024),  # 537.6
        (0.5 / 1024, 0.0),  # a tie goes to the even neighbour: 0.5 to 0,
        (1.5 / 1024, 2 / 1024),  # 1.5 to 2,
        (2.5 / 1024, 2 / 1024),  # 2.5 to 2
        (-0.2, -205 / 1024),  # -204.8
        (0.0004, 0.0),  # 0.41
        (3.59, 3676 / 1024),  # 3676.16: a raw model score keeps its size
    ],
)
def test_rewards_are_rounded_to_1024ths_half_to_even(x: float, expected: float) -> None:
    assert to_grid(x) == expected


@pytest.mark.parametrize(
    ("reward", "rpr", "alpha", "expected"),
    [
        (1.0, 0.3, 1.0, 1.0),  # a paid answer keeps its reward
        (0.0, 0.3, 1.0, 0.3),  # the published rule
        (0.0, 0.5, 0.1, 0.05),
        (0.0, 0.9, 2.0, 1.0),  # 1.8 is capped
        (0.0, 0.9, 0.0, 0.0),
    ],
)
def test_a_zero_is_topped_up_with_the_reasoning_reward(
    reward: float, rpr: float, alpha: float, expected: float
) -> None:
    assert topped_up(reward, rpr, alpha) == expected


@pytest.mark.parametrize(
    ("score", "published", "monotone"),
    [
        (0.5, 0.5, 0.5),  # at the threshold: untouched
        (0.58, 0.58, 0.58),
        (1.2, 1.2, 1.2),  # not clipped
        (0.25, 0.35, 0.35),  # 0.25 + 0.1·1
        (0.49, 0.59, 0.5),  # published beats 0.58; monotone stops at the threshold
        (-3.0, -2.9, -2.9),
    ],
)
def test_a_score_below_the_threshold_is_lifted(score: float, published: float, monotone: float) -> None:
    assert calibrated(score, 1.0, threshold=0.5, alpha=0.1, monotone=False) == pytest.approx(published)
    assert calibrated(score, 1.0, threshold=0.5, alpha=0.1, monotone=True) == pytest.approx(monotone)


def test_a_lifted_score_is_capped_at_one() -> None:
    assert calibrated(0.4, 0.9, threshold=0.5, alpha=2.0, monotone=False) == 1.0


# --- edges ---


@pytest.mark.parametrize("x", [math.nan, math.inf, -math.inf, 1e308])
def test_what_is_not_a_reward_has_no_place_on_the_grid(x: float) -> None:
    with pytest.raises(ValueError, match="not a reward"):
        to_grid(x)


@pytest.mark.parametrize("x", [-0.0, -1e-9, -0.5 / 1024])
def test_the_grid_has_no_negative_zero(x: float) -> None:
    assert math.copysign(1, to_grid(x)) == 1


# --- invariance ---


@given(st.floats(-1e6, 1e6))
def test_a_grid_point_stays_where_it_is(x: float) -> None:
    assert to_grid(to_grid(x)) == to_grid(x)
    assert abs(to_grid(x) - x) <= 1 / 2048


@pytest.mark.parametrize("size", range(2, 65))
def test_equal_rewards_of_a_group_have_no_spread_in_float32(size: int) -> None:
    group = np.full(size, to_grid(0.525), np.float32)
    assert group.std() == 0


# --- the adversary ---


@given(st.floats(-2, 0.5, exclude_max=True), st.floats(0, 1), st.floats(0, 10), st.floats(0.5, 2))
def test_monotone_lets_no_score_below_the_threshold_pass_one_above(
    score: float, rpr: float, alpha: float, better: float
) -> None:
    assert calibrated(score, rpr, threshold=0.5, alpha=alpha, monotone=True) <= better
