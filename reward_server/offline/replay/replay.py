"""`reward-server replay`: every row of a record is paid again, and both rewards stand beside each other in a ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from reward_server.catalog.catalog import Catalog
from reward_server.catalog.tables import Tables
from reward_server.offline.replay.comparing import State, state_of
from reward_server.offline.replay.ledger import Ledger
from reward_server.offline.replay.output import Replayed, kept, line_of, replayed
from reward_server.offline.replay.paying import ROWS_AT_ONCE, ROWS_AT_ONCE_RM, paid_again
from reward_server.offline.replay.plans import Config, Resolve, fixed_plan, recorded_plans
from reward_server.offline.replay.receipt import Receipts
from reward_server.offline.replay.recorded import Recorded, Source
from reward_server.offline.score_file import running_scorer
from reward_server.rewards.plan import Plan
from reward_server.scoring import Scorer
from reward_server.settings import Settings

Write = Callable[[list[bytes]], object]


@dataclass(frozen=True)
class Task:
    """What to pay again, and by what. `reward` None: by what each row was paid."""

    settings: Settings
    source: Source
    reward: str | None = None
    query: str = ""


class Census:
    """One look at all rows before any is paid: how many they are, and which configurations they have."""

    def __init__(self, rows: Iterable[Recorded]) -> None:
        self.rows = 0
        self.configs: dict[Config, int] = {}
        for each in rows:
            self.rows += 1
            config = Config.of(each.row)
            self.configs[config] = self.configs.get(config, 0) + 1


class Replay:
    """One replay. `book` and `receipts` receive every row, `on_done` how many more are done."""

    def __init__(self, task: Task, book: Ledger, receipts: Receipts | None, on_done: Callable[[int], object]) -> None:
        self._task = task
        self._book = book
        self._receipts = receipts
        self._on_done = on_done

    async def run(self, census: Census, output: Path | None, write: Write) -> Resolve:
        """Pays all rows. What `output` holds already is taken from there, the rest is given to `write`.

        Returns which plan each configuration had. Raises what Catalog, ModelSlot, Source and `kept` raise.
        """
        tables = Tables.read(self._task.settings)
        catalog = Catalog(self._task.settings, tables=tables)
        plans = self._plans(catalog, census)
        with_model = any(plan.asks_a_model for plan in plans)
        checks = {name: check for plan in plans for name, check in catalog.checks_of(plan).items()}
        async with running_scorer(self._task.settings, with_model=with_model, checks=checks) as scorer:
            resolve = self._resolver(scorer, tables)
            rows = iter(self._task.source)
            if output is not None and output.is_file():
                done = kept(output, rows, resolve)
                while some := list(islice(done, ROWS_AT_ONCE)):
                    self._enter(some)
            query = None if self._task.reward is None else self._task.query
            async for paid in paid_again(scorer, resolve, rows, ROWS_AT_ONCE_RM if with_model else ROWS_AT_ONCE):
                new = [replayed(each, query) for each in paid]
                write([line_of(each) for each in new] if output is not None else [])
                self._enter(new)
        return resolve

    def _plans(self, catalog: Catalog, census: Census) -> list[Plan]:
        """By what rows are paid. Without a model, rows of `rm` are left out, unless all are to be paid by it."""
        if self._task.reward is not None:
            return [catalog.resolve(self._task.reward, self._task.query)]
        resolve, has_model = recorded_plans(catalog), self._task.settings.rm_model is not None
        plans = [plan for config in census.configs if (plan := resolve(config).plan) is not None]
        return [plan for plan in plans if has_model or not plan.asks_a_model]

    def _resolver(self, scorer: Scorer, tables: Tables) -> Resolve:
        catalog = Catalog(self._task.settings, scorer.model_slot.config, tables)
        if self._task.reward is None:
            return recorded_plans(catalog)
        return fixed_plan(catalog.resolve(self._task.reward, self._task.query))

    def _enter(self, some: Sequence[Replayed]) -> None:
        self._book.add((each.recorded, each.now, _state(each), each.choice.why) for each in some)
        if self._receipts is not None:
            self._receipts.was.add(each.recorded.row for each in some if each.recorded.is_paid)
            self._receipts.now.add(each.now for each in some if each.now is not None)
        self._on_done(len(some))


def _state(each: Replayed) -> State:
    return state_of(each.recorded.row, each.now, each.choice, is_paid=each.recorded.is_paid)
