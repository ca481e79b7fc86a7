"""A second opinion: of which samples it is asked, and what is compared with it.

    asked  iff  u < reference_share    u = hash("reference", seed, group, visit), as in `noise`
           and, of the rollouts of one visit of a question in a request, one: `measuring.choice`

The same ones on every replica and in any order. Rollouts of a question share their fate, so a second one would say
little and pass for much. Equal texts are one rollout: the opinion is shown beside each of them and counts once. Who
sends one sample a request has every rollout of a chosen question asked: what is counted of them is again one.

Evaluation rows and lost completions are not asked. The opinion changes no reward, and where it fails none is null.
"""

from __future__ import annotations

from collections.abc import Sequence

from reward_server.measuring.choice import chosen_text
from reward_server.rewards.found import Derivation
from reward_server.rewards.key import group_of
from reward_server.rewards.noise import reference_draw
from reward_server.types import Outcome, Sample, Verdict

HALF = 0.5
"""A score strictly between 0 and 1 counts as the side of it that it is on; 0.5 as right."""


def chosen_rows(samples: Sequence[Sample], texts: Sequence[str], *, seed: int, share: float) -> list[int]:
    """The numbers of the samples, (N,), that are asked about. `texts`: their own turns, (N,)."""
    by_question: dict[tuple[str, int], list[int]] = {}
    for row, sample in enumerate(samples):
        if sample.flip and not sample.is_lost:
            by_question.setdefault((group_of(sample), sample.visit or 0), []).append(row)
    chosen: list[int] = []
    for (group, visit), rows in by_question.items():
        if reference_draw(seed=seed, group=group, visit=visit) < share:
            text = chosen_text([texts[row] for row in rows], seed=seed, group=group, visit=visit)
            chosen += [row for row in rows if texts[row] == text]
    return chosen


def opinion(verdict: Verdict | None) -> float | None:
    """The score that the second opinion gives; None where it was not asked, or has none (an error, out of time)."""
    return None if verdict is None or verdict.outcome is Outcome.TIMEOUT else verdict.clean


def checked_and_paid(derivation: Derivation) -> tuple[bool, bool] | None:
    """(what the check says of the true ground truth, what was paid after wrong labels and flips): right or wrong each.

    Before RPR and corrections. None where there is no reward.
    """
    verdict, wrong = derivation.found.verdict, derivation.found.wrong_verdict
    label = verdict if wrong is None else wrong
    if verdict is None or label is None or verdict.clean is None or label.clean is None:
        return None
    noise = derivation.score.noise
    is_flipped = noise is not None and noise.flipped
    return verdict.clean >= HALF, (1 - label.clean if is_flipped else label.clean) >= HALF
