"""The plan that a recorded row was paid by, made again: from its reward, its query string and what its variant set.

Under the same digest every byte of a reward is the same. Another digest is another configuration, and the reason is
said: another version, another reward model, other libraries, budgets or phrases.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from reward_server import __version__
from reward_server.catalog.catalog import Catalog
from reward_server.errors import RewardServerError
from reward_server.grading.reading import BUILT_IN_CHECKS
from reward_server.records.row import Row
from reward_server.rewards.plan import Plan
from reward_server.rewards.reward import Reward


@dataclass(frozen=True, slots=True)
class Config:
    """What a row says of how it was paid. `query`: without what changes no score. `variant`: as JSON, in its own order,
    since the digest of a mix or a route depends on it."""

    reward: str
    query: str
    config: str
    version: str
    variant: str = ""

    @classmethod
    def of(cls, row: Row) -> Config:
        """The same object's fields for every row of one configuration."""
        variant = json.dumps(row.variant) if row.variant is not None else ""
        return cls(row.reward, _that_counts(row.query), row.config, row.version, variant)

    @property
    def name(self) -> str:
        """As in a URL."""
        return f"{self.reward}?{self.query}" if self.query else self.reward


@dataclass(frozen=True, slots=True)
class Choice:
    """`plan`: None where there is none. `why`: why it is another than the recorded one, or why there is none."""

    plan: Plan | None
    is_same: bool
    why: str = ""
    asks_a_service: bool = False
    """A check of it is a grader or a judge elsewhere, which need not say the same again."""


@lru_cache(maxsize=4096)
def _that_counts(query: str) -> str:
    """A step that stands in the URL would make a configuration of each step."""
    parts = query.split("&")
    return "&".join(part for part in parts if part.partition("=")[0] not in Reward.changes_no_score)


Resolve = Callable[[Config], Choice]


def recorded_plans(catalog: Catalog) -> Resolve:
    """The plan of each recorded configuration, as far as it can be made here."""
    return lru_cache(maxsize=1024)(lambda config: _recorded_plan(catalog, config))


def _recorded_plan(catalog: Catalog, config: Config) -> Choice:
    if not config.reward:
        return Choice(None, False, "the row does not say which reward it was paid: give one with -r")
    try:
        plan = _resolved(catalog, config)
    except RewardServerError as error:
        return Choice(None, False, f"{error.message}; --config names the run's rewards.toml, if it had one")
    if plan.config == config.config:
        return Choice(
            plan, True, asks_a_service=any(each.kind != "python" for each in catalog.checks_of(plan).values())
        )
    return Choice(plan, False, _difference(plan, config))


def fixed_plan(plan: Plan) -> Resolve:
    """One plan for every row."""

    def choice(config: Config) -> Choice:
        return Choice(plan, plan.config == config.config, "" if plan.config == config.config else "-r was given")

    return choice


def _resolved(catalog: Catalog, config: Config) -> Plan:
    """By its name where this server has the variant too, and it has the same digest. Else by what it was made of."""
    variant = json.loads(config.variant) if config.variant else None
    if variant is None:
        return catalog.resolve(config.reward, config.query)
    own = catalog.resolve(config.reward, config.query) if config.reward in catalog.names else None
    if own is not None and own.config == config.config:
        return own
    sets = {name: value for name, value in variant.items() if name != "base"}
    return catalog.resolve_over(str(variant.get("base", "")), sets, config.query)


def _difference(plan: Plan, config: Config) -> str:
    if config.version != __version__:
        return f"recorded by version {config.version or '?'}, this is {__version__}"
    likely = ["another rewards.toml"] if config.variant or plan.parts or "phrases" in config.query else []
    if any({needs.check, needs.reference} - {None, *BUILT_IN_CHECKS} for needs in plan.all_needs()):
        likely.append("another source of a check")
    if plan.asks_a_model:
        likely.append("another reward model, or other settings of it")
    if any(needs.check is not None for needs in plan.all_needs()):
        likely.append("other versions of Math-Verify or SymPy, or other budgets")
    return f"another digest under the same version: {'; '.join(likely) or 'another build'}"
