"""A record without a server: samples are scored here, by the rules that need no worker, and written as one file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from reward_server.catalog.catalog import Catalog
from reward_server.grading.reading import Reading, read
from reward_server.grading.verdicts import Pair, judge_at_once, pair_of
from reward_server.records.row import DEFAULT_RUN, Facts, Row, row_of
from reward_server.records.text import encode
from reward_server.rewards.composite import Composite
from reward_server.rewards.found import Derivation, Found, Joined
from reward_server.rewards.plan import Plan
from reward_server.rewards.reward import Reward
from reward_server.settings import Settings
from reward_server.types import Sample, Verdict

FACTS = Facts(time=1_795_732_801.123, run=DEFAULT_RUN, request_id="r-1", dialect="native", query="")
"""2026-11-26T22:40:01.123Z"""


def plan_of(reward: str, query: str = "") -> Plan:
    return Catalog(Settings()).resolve(reward, query)


def derivation_of(plan: Plan, sample: Sample) -> Derivation:
    """What the server finds out about a sample. AssertionError where Math-Verify would have to decide, or a model."""
    if isinstance(plan.reward, Composite):
        asked = plan.reward.rows([sample])
        parts = {plan.reward.name_of(name, sample): derivation_of(plan.parts[name], sample) for name in asked}
        joined = Joined(read([sample.completion], None, "box")[0], parts=parts)
        return Derivation(joined, plan.reward.settle(sample, joined))
    (reading,) = read([sample.completion], plan.needs.check, plan.needs.place)
    reward = plan.reward
    rpr = reward.reasoning(reading.text, plan.phrases) if isinstance(reward, Reward) and plan.needs.rpr else None
    wrong = replace(sample, ground_truths=sample.wrong_ground_truths)
    found = Found(
        reading,
        _verdict(plan, sample, reading),
        rpr,
        wrong_verdict=_verdict(plan, wrong, reading) if plan.reward.mislabels(sample) else None,
    )
    return Derivation(found, plan.reward.settle(sample, found))


def made_rows(
    samples: Sequence[Sample], reward: str = "verifier", query: str = "", facts: Facts = FACTS, *, text: bool = True
) -> list[Row]:
    """The rows that the server would record."""
    plan, facts = plan_of(reward, query), replace(facts, query=query)
    return [
        row_of(f"3f9c1a2b-{number}", facts, plan, sample, derivation_of(plan, sample), text=text)
        for number, sample in enumerate(samples, 1)
    ]


def write_record(folder: Path, rows: Sequence[Row], number: int = 1) -> Path:
    """Writes the rows of one run as one more file of a record, and returns the file."""
    file = folder / rows[0].run / f"{rows[0].time[:13]}-host-4242-{number:04d}.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"".join(map(encode, rows)))
    return file


def _verdict(plan: Plan, sample: Sample, reading: Reading) -> Verdict | None:
    if plan.needs.check is None:
        return None
    asked = pair_of(sample, reading, plan.needs.ordered)
    verdict = judge_at_once(plan.needs.check, asked) if isinstance(asked, Pair) else asked
    assert isinstance(verdict, Verdict), f"Math-Verify would decide on {asked}"
    return verdict
