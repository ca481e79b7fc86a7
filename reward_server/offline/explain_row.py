"""`reward-server explain --row`: one row of a record derived again, beside what it was paid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import filterfalse
from pathlib import Path

from reward_server.catalog.catalog import Catalog
from reward_server.catalog.tables import Tables
from reward_server.errors import CommandError
from reward_server.explaining.explanation import explanation
from reward_server.offline.replay.comparing import MEANINGS, State, is_of_request, state_of
from reward_server.offline.replay.output import replayed
from reward_server.offline.replay.paying import PaidAgain
from reward_server.offline.replay.plans import Choice, Config, Resolve, fixed_plan, recorded_plans
from reward_server.offline.replay.recorded import Recorded, Source
from reward_server.offline.score_file import running_scorer
from reward_server.records.row import NoText, Row
from reward_server.rewards.plan import Plan
from reward_server.settings import Settings

Reward = tuple[str, str]
"""Name and query string."""


class NoRow(CommandError, ValueError):
    """There is no such row, or it cannot be derived again: why, and what it says nevertheless."""


def row_named(path: Path, name: str) -> Recorded:
    """The row of that id in a record or a file; of a file also by the number of its line. `FILE:LINE`, as `replay` and
    `audit` print it, needs no more than that. Of several rows of one id it is the last. Raises NoRow, NoRecord.
    """
    file, _, line = name.rpartition(":")
    if line.isdecimal() and Path(file).is_file():
        path, name = Path(file), line
    number = int(name) if name.isdecimal() and path.is_file() else None
    found = [*Source(path).only(name, number)][-1:]
    if not found:
        which = f"has no line {number}" if number is not None else f"has no row of the id {name!r}"
        raise NoRow(f"{path} {which}; name a row by its `id`, by FILE:LINE, or in a file by the number of its line")
    return found[0]


@dataclass(frozen=True, slots=True)
class _Again:
    choice: Choice
    recorded: Recorded
    now: Row

    @property
    def says(self) -> str:
        """Where what was paid differs from what is paid now, and why."""
        old, new, why = self.recorded.row.paid, self.now.paid, self.choice.why
        if not self.recorded.is_paid:
            return f"The row does not say what it was paid. It is paid {_number(new)}."
        as_recorded = "under its recorded configuration" if self.choice.is_same else f"under another one ({why})"
        if old == new:
            return f"It was paid {_number(old)}, and is paid the same {as_recorded}."
        state = state_of(self.recorded.row, self.now, self.choice, is_paid=True)
        excuse = f". Rows like this {MEANINGS[state]}" if state not in (State.DIFFERS, State.ANOTHER) else ""
        return f"It was paid {_number(old)}, and is paid {_number(new)} now {as_recorded}{excuse}."

    def differences(self) -> Iterator[tuple[str, object, object]]:
        """What is another now: its name, as it was recorded, and as it is."""
        row, now = self.recorded.row, self.now
        for name in ("paid", "outcome", "config", "version"):
            yield name, getattr(row, name), getattr(now, name)
        for name in filterfalse(is_of_request, dict.fromkeys((*row.parts, *now.parts))):
            yield f"parts.{name}", row.parts.get(name), now.parts.get(name)

    def told(self) -> dict[str, object]:
        """What the row says, beside its derivation."""
        row = self.recorded.row
        names = ("id", "run", "step", "time", "paid", "outcome", "config", "version")
        said = {name: getattr(row, name) for name in names}
        differs = {name: {"recorded": old, "now": new} for name, old, new in self.differences() if old != new}
        return {"where": self.recorded.where, **said, "says": self.says, "differs": differs}


async def explained(settings: Settings, recorded: Recorded, reward: Reward | None) -> dict[str, object]:
    """The row's derivation, by its own reward or another one, and in `recorded` what it was paid. Raises NoRow."""
    try:
        sample = recorded.row.sample
    except NoText as error:
        row = recorded.row
        raise NoRow(f"{error}, so it cannot be derived again. It was paid {_number(row.paid)}: {row.outcome}") from None
    settings = settings.model_copy(update={"verifier_workers": 1})  # there is one answer
    tables = Tables.read(settings)
    catalog = Catalog(settings, tables=tables)
    plan, _ = _chosen(catalog, recorded, reward)
    milliseconds: dict[str, float] = {}
    async with running_scorer(settings, with_model=plan.asks_a_model, checks=catalog.checks_of(plan)) as scorer:
        plan, choice = _chosen(Catalog(settings, scorer.model_slot.config, tables), recorded, reward)
        (derivation,) = await scorer.derive(plan, [sample], milliseconds)
    again = replayed(PaidAgain(recorded, choice, derivation), None if reward is None else reward[1])
    told = {} if again.now is None else _Again(choice, recorded, again.now).told()
    return {"recorded": told, **explanation(plan, sample, derivation, milliseconds)}


def _chosen(catalog: Catalog, recorded: Recorded, reward: Reward | None) -> tuple[Plan, Choice]:
    resolve: Resolve = recorded_plans(catalog) if reward is None else fixed_plan(catalog.resolve(*reward))
    choice = resolve(Config.of(recorded.row))
    if choice.plan is None:
        raise NoRow(f"{recorded.where}: {choice.why}")
    return choice.plan, choice


def _number(value: float | None) -> str:
    return "null" if value is None else f"{value:g}"
