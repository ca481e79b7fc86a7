"""Fitting `transform=affine` to labelled samples, and how good scores are as chances of being right.

    P(right | x) = sigmoid((x - mean) / sigma)

A logistic regression with one input, by Newton's method. The targets are Platt's: (n₁ + 1) / (n₁ + 2) for the n₁ right
samples and 1 / (n₀ + 2) for the n₀ wrong ones, so that the fit stays finite where some x separates them (Platt 1999,
Probabilistic Outputs for Support Vector Machines). Not covered: any other shape; a model whose scores mean different
things for different prompts stays so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from reward_server.errors import CommandError
from reward_server.rewards.transform import sigmoid

FEWEST = 10
_BINS = 10
_STEPS = 100


class CannotFit(CommandError, ValueError):
    """These samples determine no increasing map; the message says why."""


@dataclass(frozen=True, slots=True)
class Affine:
    """`sigma` > 0. `separable`: one score separates right from wrong, so that the samples do not bound sigma below."""

    mean: float
    sigma: float
    separable: bool


@dataclass(frozen=True, slots=True)
class Quality:
    """Of scores at a threshold. `brier` and `calibration_error` (expected, ten bins): scores clipped to 0 … 1.

    The four counts are samples: `true_positives` are right and at or above the threshold. `mean_right`, `mean_wrong`:
    of scores; NaN where there is no such sample. Their difference is what a policy is paid for being right.
    """

    accuracy: float
    brier: float
    calibration_error: float
    true_positives: int
    false_positives: int
    true_negatives: int
    false_negatives: int
    mean_right: float
    mean_wrong: float


def fit_affine(scores_N: Sequence[float], is_right_N: Sequence[bool]) -> Affine:
    """The map of finite scores. Raises CannotFit for too few, for one class, for equal or falling scores."""
    right = [x for x, is_right in zip(scores_N, is_right_N, strict=True) if is_right]
    wrong = [x for x, is_right in zip(scores_N, is_right_N, strict=True) if not is_right]
    if len(scores_N) < FEWEST:
        raise CannotFit(f"{len(scores_N)} scored samples are too few to fit two numbers to; give {FEWEST}, better 200")
    if not right or not wrong:
        raise CannotFit(
            f"all {len(scores_N)} scored samples are {'right' if right else 'wrong'}; both kinds are needed"
        )
    centre = math.fsum(scores_N) / len(scores_N)
    spread = math.sqrt(math.fsum((x - centre) ** 2 for x in scores_N) / len(scores_N))
    if spread == 0:
        raise CannotFit(f"every sample has the same score, {centre:g}: it says nothing about them")
    targets = [(len(right) + 1) / (len(right) + 2) if is_right else 1 / (len(wrong) + 2) for is_right in is_right_N]
    slope, offset = _newton([(x - centre) / spread for x in scores_N], targets)
    if slope <= 0:
        raise CannotFit("the right samples do not have higher scores than the wrong ones: there is nothing to fit")
    return Affine(centre - spread * offset / slope, spread / slope, separable=min(right) > max(wrong))


def _newton(inputs: Sequence[float], targets: Sequence[float]) -> tuple[float, float]:
    """(slope, offset) of the logistic regression; inputs are standardised. A step that does not help is halved."""
    slope = offset = 0.0
    loss = _loss(inputs, targets, slope, offset)
    for _ in range(_STEPS):
        chances = [sigmoid(slope * x + offset) for x in inputs]
        weights = [p * (1 - p) for p in chances]
        by_slope = math.fsum((p - t) * x for p, t, x in zip(chances, targets, inputs, strict=True))
        by_offset = math.fsum(p - t for p, t in zip(chances, targets, strict=True))
        curve = math.fsum(w * x * x for w, x in zip(weights, inputs, strict=True)) + 1e-12
        mixed = math.fsum(w * x for w, x in zip(weights, inputs, strict=True))
        flat = math.fsum(weights) + 1e-12
        area = curve * flat - mixed * mixed
        step = (flat * by_slope - mixed * by_offset) / area, (curve * by_offset - mixed * by_slope) / area
        size = 1.0
        while (new := _loss(inputs, targets, slope - size * step[0], offset - size * step[1])) > loss and size > 1e-9:
            size /= 2
        slope, offset = slope - size * step[0], offset - size * step[1]
        if loss - new <= 1e-12 * loss:
            break
        loss = new
    return slope, offset


def _loss(inputs: Sequence[float], targets: Sequence[float], slope: float, offset: float) -> float:
    """Cross entropy: log(1 + exp(z)) - target · z, without overflow."""
    values = [slope * x + offset for x in inputs]
    return math.fsum(max(z, 0) + math.log1p(math.exp(-abs(z))) - t * z for z, t in zip(values, targets, strict=True))


def quality(scores_N: Sequence[float], is_right_N: Sequence[bool], threshold: float) -> Quality:
    """How good the scores are. N >= 1."""
    rows = list(zip(scores_N, is_right_N, strict=True))
    kinds = [(score >= threshold, is_right) for score, is_right in rows]
    clipped = [(min(1.0, max(0.0, score)), is_right) for score, is_right in rows]
    gaps = [0.0] * _BINS
    for score, is_right in clipped:
        gaps[min(_BINS - 1, int(score * _BINS))] += is_right - score
    return Quality(
        accuracy=sum(positive == is_right for positive, is_right in kinds) / len(rows),
        brier=math.fsum((score - is_right) ** 2 for score, is_right in clipped) / len(rows),
        calibration_error=math.fsum(map(abs, gaps)) / len(rows),
        true_positives=kinds.count((True, True)),
        false_positives=kinds.count((True, False)),
        true_negatives=kinds.count((False, False)),
        false_negatives=kinds.count((False, True)),
        mean_right=_mean([score for score, is_right in rows if is_right]),
        mean_wrong=_mean([score for score, is_right in rows if not is_right]),
    )


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else math.nan
