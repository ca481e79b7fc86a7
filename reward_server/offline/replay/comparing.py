"""What is paid now beside what was paid: the same, a difference, or a case that proves nothing either way."""

from __future__ import annotations

from enum import IntEnum

from reward_server.offline.replay.plans import Choice
from reward_server.records.row import Row
from reward_server.rewards.grid import to_grid
from reward_server.types import Outcome

HARDWARE = 0.05
"""Model scores that are nearer than this share of 1 + |score| may come from another kind of hardware."""


class State(IntEnum):
    """Of one row. Those from EDGE on are listed apart and are no differences."""

    SAME = 0
    DIFFERS = 1
    """Under the recorded digest, or where nothing but the reward itself could be compared."""
    ANOTHER = 2
    """Paid under another configuration: it says nothing about whether the record is right."""
    EDGE = 3
    """Its grading ran out of its budget, then or now."""
    ERROR = 4
    """Grading failed, then or now."""
    HARDWARE = 5
    """A model's score that differs by little: the digest does not hold the kind of hardware."""
    NOT_PAID = 6
    """It cannot be paid again here."""
    UNKNOWN = 7
    """The row does not say what it was paid."""
    SERVICE = 8
    """A grader or a judge elsewhere said something else this time."""


MEANINGS = {
    State.SAME: "the same",
    State.DIFFERS: "differ",
    State.ANOTHER: "paid under another configuration",
    State.EDGE: "differ, at the edge of the grading budget (timeout, then or now): no difference",
    State.ERROR: "differ, and grading failed then or now: no difference",
    State.HARDWARE: "differ by a model's rounding, as on another kind of hardware: no difference",
    State.NOT_PAID: "cannot be paid again here",
    State.UNKNOWN: "do not say what they were paid",
    State.SERVICE: "differ, and were graded by a service elsewhere (a check of your own): no difference",
}


def state_of(old: Row, new: Row | None, choice: Choice, *, is_paid: bool) -> State:
    """`new`: the row as it is paid now. `is_paid`: the old one says what it was paid."""
    if new is None:
        return State.NOT_PAID
    if not is_paid:
        return State.UNKNOWN
    if not choice.is_same:
        return State.ANOTHER
    if _told(old) == _told(new):
        return State.SAME
    outcomes = old.outcome, new.outcome
    if Outcome.TIMEOUT in outcomes:
        return State.EDGE
    if Outcome.ERROR in outcomes:
        return State.ERROR
    if choice.asks_a_service:
        return State.SERVICE
    return State.HARDWARE if _is_rounding(old, new) else State.DIFFERS


def is_of_request(part: str) -> bool:
    """A second opinion: of which rollout of a question it is asked goes by the others in the request."""
    return part.rpartition("/")[2] == "reference"


def _told(row: Row) -> tuple[object, ...]:
    return row.paid, row.outcome, {name: value for name, value in row.parts.items() if not is_of_request(name)}


def _is_rounding(old: Row, new: Row) -> bool:
    """Only the model's score moved, and by little; and what was paid is what follows from the recorded score."""
    names = [name for name in old.parts if name.endswith("model_score")]
    if not names or old.outcome != new.outcome or old.parts.keys() != new.parts.keys():
        return False
    pairs = [(old.parts[name], new.parts[name]) for name in names]
    if all(a == b for a, b in pairs) or not all(_is_near(a, b) for a, b in pairs):
        return False
    calibrated = old.parts.get("calibrated")
    return calibrated is None or old.paid == to_grid(calibrated)


def _is_near(a: float | None, b: float | None) -> bool:
    return a == b or (a is not None and b is not None and abs(a - b) <= HARDWARE * (1 + abs(a)))
