"""The rows behind each number of a replay, by the names that `--list` takes.

NAME            all of them                      NAME@400   of step (or bucket) 400, training rows
OLD>NEW         of those two outcomes            NAME@evaluation   evaluation rows
"""

from __future__ import annotations

from collections.abc import Iterator

from reward_server.errors import CommandError
from reward_server.offline.replay.comparing import State
from reward_server.offline.replay.groups import KINDS, flag_of
from reward_server.offline.replay.ledger import CHANGED, Example, Ledger

STATES = {state.name.lower().replace("_", "-"): state for state in State}
"""As `--list` and the report have them."""
SHOWN_KINDS = ("sign", "gains-variance", "loses-variance")
"""Those whose first rows the report shows."""
EVALUATION = "evaluation"
ROWS = "rows"
"""All whose rewards are compared."""


class UnknownChange(CommandError, ValueError):
    """No rows are listed under that name."""


def listed(book: Ledger, name: str, most: int = -1) -> Iterator[Example]:
    """The rows behind a number of the report. Raises UnknownChange."""
    where, values = condition(name)
    if name.partition("@")[0] == ROWS:
        where += f" and {book.comparable()}"
    return book.examples(where, *values, most=most)


def condition(name: str) -> tuple[str, tuple[object, ...]]:
    """In SQL, with its values. Raises UnknownChange, which names the names."""
    change, has_place, place = name.partition("@")
    where, values = _condition(change)
    if not has_place:
        return where, values
    if place == EVALUATION:
        return f"{where} and not is_train", values
    if not place.removeprefix("-").isdecimal():
        raise UnknownChange(f"--list {name}: behind the @ stands a step, a bucket, or {EVALUATION}")
    column = "first_bucket" if change in KINDS else "bucket"
    return f"{where} and n in (select n from place where {column} = ?)", (*values, int(place))


def _condition(change: str) -> tuple[str, tuple[object, ...]]:
    if change == ROWS:
        return "true", ()
    if change == "changed":
        return CHANGED, ()
    if change in STATES:
        return f"state = {STATES[change].value}", ()
    if change in KINDS:
        return "n in (select n from place where kinds & ?)", (flag_of(change),)
    old, is_pair, new = change.partition(">")
    if is_pair:
        return f"old_outcome = ? and new_outcome = ? and {CHANGED}", (old, new)
    known = ", ".join((*STATES, "changed", ROWS, *KINDS))
    raise UnknownChange(
        f"--list {change}: no such change; there are {known}, and OLD>NEW for two outcomes; NAME@STEP is of one step"
    )


def names(book: Ledger) -> list[str]:
    """What has rows worth a look."""
    states = [name for name, state in STATES.items() if state not in (State.SAME, State.ANOTHER)]
    changed = f"from row where {CHANGED} and old_outcome != '' group by 1, 2 order by count(*) desc"
    pairs = [f"{old}>{new}" for old, new in book.ask(f"select old_outcome, new_outcome {changed}")]
    return [name for name in (*states, *pairs, *SHOWN_KINDS) if next(listed(book, name, 1), None) is not None]
