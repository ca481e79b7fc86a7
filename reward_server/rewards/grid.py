"""What is done to a score before it is paid: bonuses from RPR, then the grid.

Source: Lv et al. 2025 (arXiv 2505.22653). `topped_up` with alpha = 1 is the published `add_format_reward_when_wrong`;
`calibrated` is the published calibration of a reward model. All of it is float64 and unrounded but for `to_grid`,
which comes last and once.
"""

from __future__ import annotations

import math

_STEPS = 1024
"""Grid steps per unit: a power of two, so that grid points and the sums of a group of them are exact in float32."""


def to_grid(x: float) -> float:
    """round(1024·x) / 1024, half to even; never -0.0.

    Why: OpenRLHF's `group_norm` divides by the group's standard deviation + 1e-9. Eight equal rewards of 0.525 have, by
    float32 rounding alone, a deviation of about 1e-8, and so get advantages near ±0.92 where 0 is right. Equal rewards
    on the grid get exactly 0. The price: differences below 1/2048, about 0.0005, are lost.

    ValueError for nan, an infinity, and what is too large to scale: none of these is a reward.
    """
    scaled = _STEPS * x
    if not math.isfinite(scaled):
        raise ValueError(f"{x!r} is not a reward")
    return round(scaled) / _STEPS  # round gives an int, which has no -0


def on_grid(x: float | None) -> float | None:
    """The same; None stays None."""
    return None if x is None else to_grid(x)


def topped_up(reward: float, rpr: float, alpha: float) -> float:
    """min(1, alpha·rpr) where the reward is 0, else the reward: for verifier and flip, after the flip.

    Range 0 … 1 for alpha >= 0. Not covered: whether an answer was given. Without one nothing is paid, and the caller
    knows it.
    """
    return min(1.0, alpha * rpr) if reward == 0 else reward


def calibrated(score: float, rpr: float, *, threshold: float, alpha: float, monotone: bool) -> float:
    """score if score >= threshold, else min(1, score + alpha·rpr): for the reward model.

    As published the bonus can lift a score past a better one: at threshold 0.5, 0.49 + 0.1 beats 0.58. `monotone` caps
    alpha·rpr at threshold - score, so that no score below the threshold ends above one that reached it. Usually 0 … 1;
    a score is not clipped from below, nor from above once it reached the threshold. Not covered: scores of a bad format
    (the caller passes score 0 and rpr 0) and nan (an error before it comes here).
    """
    if score >= threshold:
        return score
    lifted = min(1.0, score + alpha * rpr)
    return min(lifted, threshold) if monotone else lifted  # score + (threshold - score) can round to above threshold
