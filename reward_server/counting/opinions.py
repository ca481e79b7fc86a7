"""What a second opinion said, handed to those who count: the tables of `measuring`, and Prometheus."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from hashlib import blake2b

from reward_server.grading.kind import kind_of
from reward_server.measuring.choice import text_draw
from reward_server.measuring.tables import GRADED, Seen, Table, Tables
from reward_server.rewards.found import Derivation, parts_of
from reward_server.rewards.key import group_of
from reward_server.rewards.plan import Plan
from reward_server.rewards.reference import HALF, checked_and_paid, opinion
from reward_server.types import Sample

Samples = Sequence[Sample]
Derivations = Sequence[Derivation]
Opinion = tuple[bool, bool | None]
"""What was paid, and what the second opinion says: right or wrong; None where it has no opinion."""


def asking(plan: Plan, samples: Samples, derivations: Derivations) -> Iterator[tuple[Plan, Samples, Derivations]]:
    """The reward itself, or those that it is made of, where they ask a second opinion; with what they were asked."""
    if plan.needs.reference is not None:
        yield plan, samples, derivations
    for name, part in plan.parts.items():
        found = [(sample, parts_of(each).get(name)) for sample, each in zip(samples, derivations, strict=True)]
        theirs = [(sample, each) for sample, each in found if each is not None]
        yield from asking(part, [sample for sample, _ in theirs], [each for _, each in theirs])


def tabled(tables: Tables, plan: Plan, samples: Samples, derivations: Derivations) -> None:
    """Counts the samples of one request, (N,), where a second opinion is asked. Evaluation rows are left out."""
    for asker, *theirs in asking(plan, samples, derivations):
        rows = (seen(asker, *row) for row in zip(*theirs, strict=True))
        if several := [row for row in rows if row is not None]:
            tables.add(asker.name, asker.config, partial(_table, asker), several)


def _table(plan: Plan) -> Table:
    return Table(plan.shown(), str(plan.needs.reference), getattr(plan.reward, "reference_share", 1.0))


def seen(plan: Plan, sample: Sample, derivation: Derivation) -> Seen | None:
    """What is counted of one sample; None where there is nothing to compare."""
    verdicts, verdict = checked_and_paid(derivation), derivation.found.verdict
    if verdicts is None or verdict is None or not sample.flip or sample.is_lost:
        return None
    group, visit, text = group_of(sample), sample.visit or 0, derivation.found.reading.text
    was_asked, score = derivation.found.reference is not None, opinion(derivation.found.reference)
    check, paid = verdicts
    return Seen(
        question=_digest(f"{len(group)}\0{group}\0{visit}"),
        text=_digest(text).hex() if was_asked else "",
        draw=text_draw(text, seed=getattr(plan.reward, "seed", 0), group=group, visit=visit) if was_asked else 0.0,
        verdicts={"check": check, "paid": paid},
        answered=GRADED if verdict.outcome.is_exposed else str(verdict.outcome),
        tier=verdict.tier,
        kind=kind_of((sample.ground_truths or ("",))[0]),
        was_asked=was_asked,
        audit=None if score is None else score >= HALF,
    )


def opinions(plan: Plan, samples: Samples, derivations: Derivations) -> list[Opinion]:
    """Those of one request, one a visit of a question: equal texts were asked together."""
    found: dict[tuple[str, str, int], Opinion] = {}
    for asker, *theirs in asking(plan, samples, derivations):
        for sample, derivation in zip(*theirs, strict=True):
            verdicts = checked_and_paid(derivation)
            if derivation.found.reference is not None and verdicts is not None:
                score = opinion(derivation.found.reference)
                key = asker.config, group_of(sample), sample.visit or 0
                found[key] = verdicts[1], None if score is None else score >= HALF
    return list(found.values())


def _digest(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
