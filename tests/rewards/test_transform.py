from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_server.rewards.transform import Transform, transformed

finite = st.floats(-1e6, 1e6)


@pytest.mark.parametrize(
    ("score", "transform", "expected"),
    [
        (3.59, "identity", 3.59),
        (0.0, "sigmoid", 0.5),
        (3.59, "sigmoid", 0.973142),  # Skywork-Reward-V2-8B of a wrong answer: no sign of correctness
        (-1000.0, "sigmoid", 0.0),
        (1000.0, "sigmoid", 1.0),
        (5.0, "affine", 0.880797),  # (5 - 1) / 2 = 2
    ],
)
def test_values(score: float, transform: Transform, expected: float) -> None:
    assert transformed(score, transform, mean=1.0, sigma=2.0) == pytest.approx(expected, abs=1e-6)


@given(finite, finite)
def test_order_is_kept(a: float, b: float) -> None:
    for transform in ("identity", "sigmoid", "affine"):
        low, high = (transformed(x, transform, mean=1.0, sigma=3.0) for x in sorted((a, b)))
        assert low <= high
