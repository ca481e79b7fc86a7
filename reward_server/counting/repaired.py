"""How many samples of a request were graded against a ground truth that was read otherwise than it stands."""

from __future__ import annotations

from collections.abc import Sequence

from reward_server.grading.reading import repairs
from reward_server.rewards.found import Derivation, leaves_of
from reward_server.rewards.plan import Plan
from reward_server.types import Sample


def count_repaired(plan: Plan, samples: Sequence[Sample], derivations: Sequence[Derivation]) -> int:
    """Of the samples of one request, (N,), with their derivations."""
    if not plan.grades_mathematics:
        return 0
    rows = zip(samples, derivations, strict=True)
    repaired = [each for sample, each in rows if repairs(sample.ground_truths, "math")]
    return sum(map(_is_graded, repaired)) if plan.parts else len(repaired)


def _is_graded(derivation: Derivation) -> bool:
    """Did a part of it grade an answer?"""
    return any(leaf.found.verdict is not None for leaf in leaves_of([derivation]))
