"""A recorded sample, derived again by the code of `/explain`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from msgspec.structs import replace

from reward_server.catalog.catalog import Catalog
from reward_server.catalog.tables import Tables
from reward_server.checks.spec import PythonCheck
from reward_server.checks.table import BadCheck
from reward_server.counting.metrics import Metrics
from reward_server.errors import RewardServerError
from reward_server.explaining.explanation import explanation
from reward_server.offline.audit.fates import flips_of
from reward_server.offline.replay.comparing import MEANINGS, State, state_of
from reward_server.offline.replay.plans import Config, recorded_plans
from reward_server.records.row import NoText, Row
from reward_server.scoring import Scorer
from reward_server.settings import Settings

ASKS_ELSEWHERE = (
    "check={name} asks a service elsewhere, which this page does not; `reward-server explain FOLDER --row {id}` does"
)


@dataclass(frozen=True, slots=True)
class Today:
    """What the sample is paid now, as `/explain` says it. `why`: why there is nothing, why it is not the recorded
    configuration, or why a difference is none."""

    derived: dict[str, object] | None
    is_same_config: bool = False
    why: str = ""


class Deriver:
    """Derives samples one at a time. Open it with `async with deriver(settings)`."""

    def __init__(self, scorer: Scorer, catalog: Catalog, problem: str = "") -> None:
        """`problem`: why the Python checks of the catalog are not among the scorer's; empty where they are."""
        self._scorer = scorer
        self._catalog = catalog
        self._problem = problem
        self._plans = recorded_plans(catalog)

    def belongs_to_answers(self, row: Row) -> bool:
        """Is all noise of its configuration a fixed one of each answer, which no visit renews?"""
        scopes = {flip.flip_scope for _, flip in flips_of(self._plans(Config.of(row)).plan, row.source)}
        return scopes == {"answer"}

    async def derive(self, row: Row) -> Today:
        """Raises nothing that a sample may bring about: the reason is told."""
        choice = self._plans(Config.of(row))
        if choice.plan is None:
            return Today(None, why=choice.why)
        for name, check in self._catalog.checks_of(choice.plan).items():
            if name not in self._scorer.checks:
                is_own = isinstance(check, PythonCheck)
                return Today(None, why=self._problem if is_own else ASKS_ELSEWHERE.format(name=name, id=row.id))
        try:
            sample = row.sample
            milliseconds: dict[str, float] = {}
            (derivation,) = await self._scorer.derive(choice.plan, [sample], milliseconds)
        except (RewardServerError, NoText) as error:
            return Today(None, why=str(error))
        score = derivation.score
        now = replace(row, paid=score.reward, outcome=str(score.outcome), parts=score.parts)
        state = state_of(row, now, choice, is_paid=True)
        excused = state not in (State.SAME, State.DIFFERS, State.ANOTHER)
        why = f"Rows like this {MEANINGS[state]}." if excused else choice.why
        return Today(explanation(choice.plan, sample, derivation, milliseconds), choice.is_same, why)


@asynccontextmanager
async def deriver(settings: Settings) -> AsyncIterator[Deriver]:
    """Its workers start when the first answer needs one; a reward model is loaded where a folder is given.

    Python checks are tried at once. Graders and judges are not asked: to turn a page must cost nothing elsewhere.
    """
    settings = settings.model_copy(update={"verifier_workers": 1})
    tables, problem = Tables.read(settings), ""
    own = {name: check for name, check in tables.checks.items() if isinstance(check, PythonCheck)}
    scorer = Scorer(settings, Metrics(), checks=own)
    try:
        await scorer.checks.try_out()
    except BadCheck as error:
        scorer, problem = Scorer(settings, Metrics()), str(error)
    catalog = Catalog(settings, scorer.model_slot.config, tables)
    async with scorer.running(workers_at_once=False):
        yield Deriver(scorer, catalog, problem)
