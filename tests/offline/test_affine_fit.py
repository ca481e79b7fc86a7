from __future__ import annotations

import math
import random

import pytest

from reward_server.offline.affine_fit import CannotFit, fit_affine, quality
from reward_server.rewards.transform import transformed


def drawn(count: int, mean: float, sigma: float) -> tuple[list[float], list[bool]]:
    """Scores, and whether each is right with the chance that the map says."""
    chosen = random.Random(1)
    scores = [chosen.gauss(mean, 2 * sigma) for _ in range(count)]
    return scores, [chosen.random() < transformed(x, "affine", mean=mean, sigma=sigma) for x in scores]


@pytest.mark.parametrize(("mean", "sigma"), [(2.5, 1.7), (0.5, 0.05), (-17.0, 9.0), (1e6, 1.0)])
def test_the_map_that_drew_the_labels_is_found(mean: float, sigma: float) -> None:
    fit = fit_affine(*drawn(4000, mean, sigma))
    assert fit.mean == pytest.approx(mean, abs=0.15 * sigma)
    assert fit.sigma == pytest.approx(sigma, rel=0.1)
    assert not fit.separable


def test_the_fit_is_where_the_gradient_is_zero() -> None:
    scores, is_right = drawn(300, 1.0, 2.0)
    fit = fit_affine(scores, is_right)
    ones = sum(is_right)
    targets = [(ones + 1) / (ones + 2) if right else 1 / (len(scores) - ones + 2) for right in is_right]
    gaps = [transformed(x, "affine", mean=fit.mean, sigma=fit.sigma) - t for x, t in zip(scores, targets, strict=True)]
    assert math.fsum(gaps) == pytest.approx(0, abs=1e-6)
    assert math.fsum(gap * x for gap, x in zip(gaps, scores, strict=True)) == pytest.approx(0, abs=1e-5)


def test_separable_samples_give_a_finite_map_and_say_so() -> None:
    fit = fit_affine([0.1 * n for n in range(20)], [n >= 10 for n in range(20)])
    assert fit.separable
    assert fit.mean == pytest.approx(0.95)  # by symmetry
    assert 0.01 < fit.sigma < 1


@pytest.mark.parametrize(
    ("scores", "is_right", "reason"),
    [
        ([0.1 * n for n in range(9)], [n > 4 for n in range(9)], "too few"),
        ([0.1 * n for n in range(20)], [True] * 20, "all 20 scored samples are right"),
        ([0.1 * n for n in range(20)], [False] * 20, "all 20 scored samples are wrong"),
        ([0.7] * 20, [n > 4 for n in range(20)], "the same score, 0.7"),
        ([0.1 * n for n in range(20)], [n < 10 for n in range(20)], "do not have higher scores"),
    ],
)
def test_what_cannot_be_fitted_says_why(scores: list[float], is_right: list[bool], reason: str) -> None:
    with pytest.raises(CannotFit, match=reason):
        fit_affine(scores, is_right)


def test_quality_of_five_samples_by_hand() -> None:
    found = quality([0.95, 0.6, 0.5, 0.2, -1.0], [True, False, True, False, True], 0.5)
    assert (found.true_positives, found.false_positives, found.true_negatives, found.false_negatives) == (2, 1, 1, 1)
    assert found.accuracy == 3 / 5
    # (0.05² + 0.6² + 0.5² + 0.2² + 1²) / 5: the last is clipped to 0
    assert found.brier == pytest.approx((0.0025 + 0.36 + 0.25 + 0.04 + 1) / 5)
    # bins 9, 6, 5, 2 and 0 hold one sample each: |1 - 0.95| + |0 - 0.6| + |1 - 0.5| + |0 - 0.2| + |1 - 0|
    assert found.calibration_error == pytest.approx((0.05 + 0.6 + 0.5 + 0.2 + 1) / 5)


def test_a_score_of_1_and_above_is_in_the_last_bin() -> None:
    assert quality([1.0, 7.0], [True, True], 0.5).calibration_error == 0
