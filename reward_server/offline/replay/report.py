"""What a replay says: a dictionary for `--json`, and the same as tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from reward_server.offline.replay.comparing import MEANINGS, State
from reward_server.offline.replay.groups import NONE, Counts, note_groups, total
from reward_server.offline.replay.ledger import CHANGED, EXAMPLES, Ledger
from reward_server.offline.replay.listing import STATES, listed, names
from reward_server.offline.replay.plans import Resolve
from reward_server.offline.replay.receipt import Receipts
from reward_server.offline.replay.replay import Census

Report = dict[str, Any]
APART = (State.EDGE, State.ERROR, State.HARDWARE, State.SERVICE, State.NOT_PAID, State.UNKNOWN)


def report(book: Ledger, census: Census, resolve: Resolve, receipts: Receipts | None, per: int) -> Report:
    """All numbers of a replay. `per`: rows in a bucket where the rows have no steps."""
    groups = note_groups(book, per)
    states = dict(book.ask("select state, count(*) from row group by state"))
    return {
        "rows": {name: states.get(state.value, 0) for name, state in STATES.items()},
        "total": census.rows,
        "configs": list(_configs(census, resolve)),
        "not_paid": [
            {"rows": rows, "why": book.why(why)}
            for why, rows in book.ask("select why, count(*) from row where state = 6 group by why order by 2 desc")
        ],
        "changed": _count(book, CHANGED),
        "outcomes": list(_outcomes(book)),
        "buckets": list(buckets(book, per, groups)),
        "training": _means(book, "is_train"),
        "evaluation": _means(book, "not is_train"),
        "groups": total(groups.values()),
        "examples": {name: [asdict(each) for each in listed(book, name, EXAMPLES)] for name in names(book)},
        "receipts": None
        if receipts is None
        else {"recorded": asdict(receipts.was.summary()), "now": asdict(receipts.now.summary())},
    }


def _configs(census: Census, resolve: Resolve) -> Iterator[Report]:
    for config, rows in census.configs.items():
        choice = resolve(config)
        now = None if choice.plan is None else choice.plan.config
        yield {
            "url": config.name,
            "config": config.config,
            "version": config.version,
            "rows": rows,
            "now": now,
            "why": choice.why,
        }


def _outcomes(book: Ledger) -> Iterator[Report]:
    """Old x new: how many rows, how many of them are paid otherwise, the mean rewards."""
    query = (
        f"select old_outcome, new_outcome, count(*), sum({CHANGED}), avg(old), avg(new)"
        f" from row where {book.comparable()} group by 1, 2 order by 3 desc"
    )
    for old, new, rows, changed, old_mean, new_mean in book.ask(query):
        yield {"old": old, "new": new, "rows": rows, "changed": changed, "old_mean": old_mean, "new_mean": new_mean}


def buckets(book: Ledger, per: int, groups: Mapping[tuple[str, int | None], Counts]) -> Iterator[Report]:
    """Of the training rows, by run and step, or by `per` rows in the order of their arrival: means, and groups."""
    with_steps = {run for (run,) in book.ask("select distinct run from row where step is not null")}
    query = f"select run, bucket, count(*), avg(old), avg(new) from ({book.training(per)}) group by 1, 2 order by 1, 2"
    for run, bucket, *means in book.ask(query):
        place = {"run": run, "step" if run in with_steps else "bucket": bucket}
        yield {**place, **_named(means), "groups": groups.get((run, bucket), NONE)}


def _means(book: Ledger, where: str) -> Report:
    query = f"select count(*), avg(old), avg(new) from row where {where} and {book.comparable()}"
    return _named(next(book.ask(query)))


def _named(means: Any) -> Report:
    rows, old, new = means
    return {"rows": rows, "old_mean": old, "new_mean": new}


def _count(book: Ledger, where: str) -> int:
    (found,) = next(book.ask(f"select count(*) from row where {where}"))
    return int(found)


def verdict(told: Report, *, is_check: bool, is_other: bool) -> tuple[str, bool]:
    """One sentence, and whether all is well. `is_other`: a reward was given; `is_check`: nothing may change."""
    rows, total = told["rows"], told["total"]
    apart = "; ".join(
        f"{rows[name]} {MEANINGS[state]}" for name, state in STATES.items() if state in APART and rows[name]
    )
    tail = f". {apart}" if apart else ""
    compared = total - rows["not-paid"] - rows["unknown"]
    changed = f"{told['changed']} of {compared} rows are paid otherwise"
    if total == rows["not-paid"]:
        return f"No row could be paid again: {apart}", is_other and not is_check
    if is_other:
        return changed + tail, not (is_check and told["changed"])
    again = rows["same"] + rows["differs"]
    said = [f"{rows['same']} of {again} rows paid again under their own configuration are the same, byte for byte"]
    if rows["differs"]:
        said = [f"{rows['differs']} of {again} rows paid again under their own configuration differ"]
    if rows["another"]:
        said.append(f"{rows['another']} rows could only be paid under another configuration: {changed}")
    is_well = not rows["differs"] and compared > 0
    if is_check:
        is_well = is_well and not (told["changed"] or rows["not-paid"] or rows["unknown"])
    return ". ".join(said) + tail, is_well
