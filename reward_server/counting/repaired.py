"""How many samples of a request were graded against a ground truth that was read otherwise than it stands."""

from __future__ import annotations

from collections.abc import Sequence

from reward_server.grading.reading import repairs
from reward_server.rewards.found import Derivation, leaves_of
from reward_server.rewards.plan import Plan
from reward_server.types import Sample


def count_repaired(plan: Plan, samples: Sequence[Sample], derivations: Sequence[Derivation]) -> int:
    """Of the samples of one request, (N,), with their derivations."""
    if plan.parts:
        if all(needs.check != "math" for needs in plan.all_needs()):
            return 0
        samples = [sample for sample, each in zip(samples, derivations, strict=True) if _is_graded(each)]
    elif plan.needs.check != "math":
        return 0
    return sum([bool(repairs(sample.ground_truths, "math")) for sample in samples])


def _is_graded(derivation: Derivation) -> bool:
    return any(leaf.found.verdict is not None for leaf in leaves_of([derivation]))
