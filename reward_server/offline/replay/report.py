"""What a replay says: a dictionary for `--json`, and the same as tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from reward_server.errors import CommandError
from reward_server.offline.replay.comparing import MEANINGS, State
from reward_server.offline.replay.groups import KINDS, note_groups
from reward_server.offline.replay.ledger import CHANGED, EXAMPLES, Example, Ledger
from reward_server.offline.replay.plans import Resolve
from reward_server.offline.replay.receipt import Receipts
from reward_server.offline.replay.replay import Census

Report = dict[str, Any]
APART = (State.EDGE, State.ERROR, State.HARDWARE, State.SERVICE, State.NOT_PAID, State.UNKNOWN)
STATES = {state.name.lower().replace("_", "-"): state for state in State}
"""As `--list` and the report have them."""


class UnknownChange(CommandError, ValueError):
    """No rows are listed under that name."""


def report(book: Ledger, census: Census, resolve: Resolve, receipts: Receipts | None, per: int) -> Report:
    """All numbers of a replay. `per`: rows in a bucket where the rows have no steps."""
    groups = note_groups(book)
    return {
        "rows": {name: _count(book, f"state = {state.value}") for name, state in STATES.items()},
        "total": census.rows,
        "configs": list(_configs(census, resolve)),
        "not_paid": [
            {"rows": rows, "why": book.why(why)}
            for why, rows in book.ask("select why, count(*) from row where state = 6 group by why order by 2 desc")
        ],
        "changed": _count(book, CHANGED),
        "outcomes": list(_outcomes(book)),
        "buckets": list(buckets(book, per)),
        "evaluation": _means(book, "not is_train"),
        "groups": groups,
        "examples": {name: [asdict(each) for each in listed(book, name, EXAMPLES)] for name in _names(book)},
        "receipts": None
        if receipts is None
        else {"recorded": asdict(receipts.was.summary()), "now": asdict(receipts.now.summary())},
    }


def listed(book: Ledger, name: str, most: int = -1) -> Iterator[Example]:
    """The rows behind a number of the report. Raises UnknownChange, which names the names."""
    if name in STATES:
        return book.examples(f"state = {STATES[name].value}", most=most)
    if name in KINDS:
        return book.examples("n in (select n from change where name = ?)", name, most=most)
    if name == "changed":
        return book.examples(CHANGED, most=most)
    old, is_pair, new = name.partition(">")
    if is_pair:
        return book.examples(f"old_outcome = ? and new_outcome = ? and {CHANGED}", old, new, most=most)
    names = ", ".join((*STATES, "changed", *KINDS))
    raise UnknownChange(f"--list {name}: no such change; there are {names}, and OLD>NEW for two outcomes")


def _names(book: Ledger) -> list[str]:
    """What has rows worth a look."""
    names = [name for name, state in STATES.items() if state not in (State.SAME, State.ANOTHER)]
    pairs = [f"{each['old']}>{each['new']}" for each in _outcomes(book) if each["changed"] and each["old"]]
    return [name for name in (*names, *pairs, *KINDS) if next(listed(book, name, 1), None) is not None]


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
        f" from row where {_comparable(book)} group by 1, 2 order by 3 desc"
    )
    for old, new, rows, changed, old_mean, new_mean in book.ask(query):
        yield {"old": old, "new": new, "rows": rows, "changed": changed, "old_mean": old_mean, "new_mean": new_mean}


def buckets(book: Ledger, per: int) -> Iterator[Report]:
    """Means of the training rows, by run and step, or by `per` rows in the order of their arrival."""
    (has_steps,) = next(book.ask("select count(step) from row"))
    key = "step" if has_steps else f"(row_number() over (partition by run order by time, n) - 1) / {int(per)}"
    rows = f"select run, {key} as bucket, old, new from row where is_train and {_comparable(book)}"
    for run, bucket, *means in book.ask(
        f"select run, bucket, count(*), avg(old), avg(new) from ({rows}) group by 1, 2 order by 1, 2"
    ):
        yield {"run": run, "step" if has_steps else "bucket": bucket, **_named(means)}


def _means(book: Ledger, where: str) -> Report:
    return _named(next(book.ask(f"select count(*), avg(old), avg(new) from row where {where} and {_comparable(book)}")))


def _comparable(book: Ledger) -> str:
    """SQL: rows with both rewards. Where none says what it was paid, all that are paid now."""
    (is_known,) = next(book.ask("select count(*) from row where state not in (6, 7)"))
    return "state not in (6, 7)" if is_known else "state != 6"


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
    changed = f"{told['changed']} of {total} rows are paid otherwise"
    if is_other:
        return changed + tail, not (is_check and told["changed"])
    again = rows["same"] + rows["differs"]
    said = [f"{rows['same']} of {again} rows paid again under their own configuration are the same, byte for byte"]
    if rows["differs"]:
        said = [f"{rows['differs']} of {again} rows paid again under their own configuration differ"]
    if rows["another"]:
        said.append(f"{rows['another']} rows could only be paid under another configuration: {changed}")
    compared = sum(rows.values()) - rows["not-paid"] - rows["unknown"]
    is_well = not rows["differs"] and compared > 0
    if is_check:
        is_well = is_well and not (told["changed"] or rows["not-paid"] or rows["unknown"])
    return ". ".join(said) + tail, is_well
