"""The file of a replay: each row as a line of a record, paid as it is paid now, with `was` beside it.

So it is a record itself: `audit`, `view` and `replay` read it. `was` has the fields that are others now. A row that
could not be paid again has the reason in `not_paid`. An interrupted replay goes on where the file ends.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from reward_server import __version__
from reward_server.errors import CommandError
from reward_server.offline.replay.paying import PaidAgain
from reward_server.offline.replay.plans import Choice, Config, Resolve
from reward_server.offline.replay.recorded import Recorded
from reward_server.records.noise import noise_of
from reward_server.records.row import Row, answer_of, tier_of
from reward_server.records.text import BadLine, decode, encode
from reward_server.rewards.plan import Plan

WAS = (
    *("reward", "variant", "query", "config", "version"),
    *("paid", "outcome", "parts", "noise", "part_noise", "tier", "answer"),
)


class OtherOutput(CommandError, ValueError):
    """The output is of another replay: where, and what to do."""


class _Beside(msgspec.Struct):
    not_paid: str | None = None


@dataclass(frozen=True, slots=True)
class Replayed:
    """`now`: the row as it is paid now; None where it could not be paid, for the reason `choice.why`."""

    recorded: Recorded
    now: Row | None
    choice: Choice


def replayed(paid: PaidAgain, query: str | None) -> Replayed:
    """`query`: of the reward that all rows are paid; None: of its own."""
    row, choice, found = paid.recorded.row, paid.choice, paid.derivation
    if found is None or choice.plan is None:
        return Replayed(paid.recorded, None, choice)
    reading = found.found.reading
    noise, part_noise = noise_of(choice.plan, found)
    now = msgspec.structs.replace(
        row,
        **_named(choice.plan, row, query),
        config=choice.plan.config,
        version=__version__,
        turn_chars=len(reading.text),
        answer=answer_of(reading),
        paid=found.score.reward,
        outcome=str(found.score.outcome),
        parts=found.score.parts,
        noise=noise,
        part_noise=part_noise,
        tier=tier_of(found),
    )
    return Replayed(paid.recorded, now, choice)


def _named(plan: Plan, row: Row, query: str | None) -> dict[str, object]:
    """Under the recorded configuration a row keeps the name and the query string that it came with."""
    return {} if query is None else {"reward": plan.name, "query": query, "variant": None}


def line_of(each: Replayed) -> bytes:
    """Its line, the end included."""
    row = each.recorded.row
    now = each.now if each.now is not None else msgspec.structs.replace(row, paid=None, outcome="", parts={})
    was = {name: old for name in WAS if (old := getattr(row, name)) != getattr(now, name)}
    if not each.recorded.is_paid:
        was.pop("paid", None)
    beside: dict[str, object] = {"was": was}
    if each.now is None:
        beside["not_paid"] = each.choice.why
    return encode(now).rstrip()[:-1] + b"," + json.dumps(beside, separators=(",", ":")).encode()[1:] + b"\n"


def kept(output: Path, rows: Iterator[Recorded], resolve: Resolve) -> Iterator[Replayed]:
    """What the output already holds, row by row; a last line that was not finished is cut off. Raises OtherOutput."""
    with output.open("rb+") as file:
        end = 0
        for line in file:
            if not line.endswith(b"\n"):
                break
            recorded = next(rows, None)
            if recorded is None:
                raise OtherOutput(f"{output} has more rows than there are to pay: choose another output")
            yield _kept(output, recorded, line, resolve(Config.of(recorded.row)))
            end += len(line)
        file.truncate(end)


def _kept(output: Path, recorded: Recorded, line: bytes, choice: Choice) -> Replayed:
    try:
        now, reason = decode(line), _not_paid(line)
    except BadLine as error:
        raise OtherOutput(f"{output} is no output of replay ({error}): choose another output") from None
    if now.id != recorded.row.id:
        raise OtherOutput(f"{output} is of other rows ({now.id} for {recorded.row.id}): choose another output")
    if reason is not None:
        return Replayed(recorded, None, Choice(None, False, reason))
    if choice.plan is None or now.config != choice.plan.config:
        raise OtherOutput(f"{output} holds rewards of config {now.config}, this is another: choose another output")
    return Replayed(recorded, now, choice)


def _not_paid(line: bytes) -> str | None:
    """Why its row could not be paid again."""
    try:
        return msgspec.json.decode(line, type=_Beside).not_paid
    except (msgspec.MsgspecError, UnicodeError):  # lone surrogates
        return msgspec.convert(json.loads(line), _Beside).not_paid
