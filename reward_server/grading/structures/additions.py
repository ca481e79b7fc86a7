"""What may stand beside a value on either side: its approximation and its qualifiers. Used by both tiers."""

from __future__ import annotations

from reward_server.grading.numbers.approximation import without_approximation
from reward_server.grading.structures.qualifiers import without_qualifiers


def without_additions(ground_truth: str, answer: str) -> tuple[str, str] | None:
    """Both normalised texts with the value alone; None where what stands beside it makes the answer wrong."""
    wanted = without_approximation(ground_truth, answer) or ground_truth
    given = without_approximation(answer, wanted)
    return None if given is None else without_qualifiers(wanted, given)
