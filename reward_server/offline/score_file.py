"""Scoring a JSONL file without a server: the same Scorer, some rows at a time, resumable.

Each output line is its input row with `reward`, `outcome`, `parts` and `config` added at its end. A row that has a
field of such a name keeps it: then ours are called `scored_reward`, `scored_outcome`, `scored_parts`, `scored_config`,
all four, and for a row that has one of these too `scored_scored_…`. An interrupted run goes on where the output ends.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from itertools import islice

from reward_server.catalog.catalog import Catalog
from reward_server.catalog.tables import Tables
from reward_server.checks.spec import AnyCheck
from reward_server.counting.metrics import Metrics
from reward_server.dialects.json_body import JsonBody
from reward_server.dialects.row import sample_of
from reward_server.errors import CommandError, InvalidRequest, RewardServerError
from reward_server.offline.score_output import Row, line_of
from reward_server.rewards.found import Derivation
from reward_server.rewards.plan import Plan
from reward_server.scoring import NO_CHECKS, Scorer
from reward_server.settings import Settings
from reward_server.system import check_system
from reward_server.types import Sample

ROWS_AT_ONCE = 512
ROWS_AT_ONCE_RM = 64
"""A model takes seconds for a dozen rows. The progress bar moves, and an interrupted run loses less."""


class BadRow(CommandError, ValueError):
    """A row of the input is wrong: which line, and why."""


@asynccontextmanager
async def offline_scorer(settings: Settings, reward: str, query: str) -> AsyncIterator[tuple[Scorer, Plan]]:
    """A running scorer and its plan; the reward model is loaded for `rm` alone. Raises as Catalog and ModelSlot do."""
    tables = Tables.read(settings)
    catalog = Catalog(settings, tables=tables)
    checked = catalog.resolve(reward, query)
    with_model, checks = checked.asks_a_model, catalog.checks_of(checked)
    async with running_scorer(settings, with_model=with_model, checks=checks) as scorer:
        yield scorer, Catalog(settings, scorer.model_slot.config, tables).resolve(reward, query)


@asynccontextmanager
async def running_scorer(
    settings: Settings, *, with_model: bool, checks: Mapping[str, AnyCheck] = NO_CHECKS
) -> AsyncIterator[Scorer]:
    """A running scorer, its reward model loaded and its checks tried. Raises as ModelSlot and Checks do."""
    check_system()
    settings = settings if with_model else settings.model_copy(update={"rm_model": None})
    scorer = Scorer(settings, Metrics(), checks=checks)
    async with scorer.running(workers_at_once=False):
        if with_model:
            await scorer.model_slot.filled()
        yield scorer


async def score_rows(scorer: Scorer, plan: Plan, rows: Iterator[Row]) -> AsyncIterator[list[str]]:
    """The output lines, some at a time."""
    async for some, derivations in derived_rows(scorer, plan, rows):
        paired = zip(some, derivations, strict=True)
        yield [line_of(line, derivation.score, plan.config) for (_, line), derivation in paired]


async def derived_rows(
    scorer: Scorer, plan: Plan, rows: Iterator[Row]
) -> AsyncIterator[tuple[list[Row], list[Derivation]]]:
    """The rows, some at a time, with the derivation of each. Raises BadRow."""
    while chunk := list(islice(rows, ROWS_AT_ONCE_RM if plan.asks_a_model else ROWS_AT_ONCE)):
        samples = [_sample(number, line) for number, line in chunk]
        try:
            derivations = await scorer.derive(plan, samples)
        except RewardServerError as error:
            raise BadRow(f"lines {chunk[0][0]} to {chunk[-1][0]}: {error.message}") from None
        yield chunk, derivations


def _sample(number: int, line: bytes) -> Sample:
    try:
        return sample_of(JsonBody(line))
    except InvalidRequest as error:
        raise BadRow(f"line {number}: {error.message}") from None
