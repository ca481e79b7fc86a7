"""Which series the samples of a request are counted in: by reward, config and rows, so that runs do not add up to one.

The first 64 configs have series of their own, later ones share `other`: a digest comes from a caller, and memory is
bounded. The series of a config are looked up once a request and begin at 0 together. What they counted before they were
first scraped is in no `increase()`: the dashboard and the alerts take a new series as it stands.
"""

from __future__ import annotations

import logging
import time
from collections import Counter as Tally
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock

from prometheus_client import CollectorRegistry

from reward_server.counting.opinions import opinions
from reward_server.counting.sample_counts import Counts, Families
from reward_server.kit.counters import Info
from reward_server.rewards.found import Derivation
from reward_server.rewards.plan import Plan
from reward_server.types import Sample

MAX_CONFIGS = 64
OTHER = "other"
IDLE_S = 86_400
"""A config that counted nothing for a day gives its place to a new one, if there is no other."""
SWEEP_S = 60
"""How often that is looked for."""
log = logging.getLogger(__name__)


@dataclass
class _Place:
    """A config's place among the 64: how many samples it had when that was last seen to have changed, and when."""

    total: float
    since: float


class SampleMetrics:
    """Counts the samples of every request, for one app."""

    def __init__(self, registry: CollectorRegistry, clock: Callable[[], float] = time.monotonic) -> None:
        self._families = Families(registry)
        self._info = Info(
            "reward_config_info",
            "1 for each config that was asked for; `parameters`: those that are not at their defaults.",
            ["reward", "config", "parameters"],
            registry=registry,
        )
        self._clock = clock
        self._counts: dict[tuple[str, str, bool], Counts] = {}
        self._places: dict[str, _Place] = {}
        self._lock = Lock()
        self._swept = -float(SWEEP_S)
        self._has_warned = False

    def count(self, plan: Plan, samples: Sequence[Sample], derivations: Sequence[Derivation]) -> None:
        """Counts the samples of one request, (N,), with their derivations."""
        is_batch = len(samples) > 1
        if not is_batch or len({sample.flip for sample in samples}) == 1:
            self._count(plan, samples, derivations, is_batch)
            return
        for wanted in (True, False):
            rows = [row for row, sample in enumerate(samples) if sample.flip is wanted]
            self._count(plan, [samples[row] for row in rows], [derivations[row] for row in rows], is_batch)

    def _count(self, plan: Plan, samples: Sequence[Sample], derivations: Sequence[Derivation], is_batch: bool) -> None:
        if samples:
            key = (plan.name, plan.config, samples[0].flip)
            counts = self._counts.get(key) or self._begun(plan, samples[0].flip)
            counts.count(samples, derivations, is_batch=is_batch)
            if samples[0].flip and plan.asks_an_opinion:
                counts.count_opinions(opinions(plan, samples, derivations))

    def _begun(self, plan: Plan, is_train: bool) -> Counts:
        """The series of a plan that has none yet, or those of `other`, where no place is free."""
        with self._lock:
            config = plan.config if self._has_place(plan) else OTHER
            key = (plan.name, config, is_train)
            if key not in self._counts:
                self._counts[key] = Counts(self._families, plan.name, config, "train" if is_train else "eval")
                parameters = plan.shown() if config != OTHER else ""
                self._info.labels(plan.name, config, parameters)
            return self._counts[key]

    def _has_place(self, plan: Plan) -> bool:
        if plan.config in self._places:
            return True
        if len(self._places) >= MAX_CONFIGS:
            self._free_a_place()
        if len(self._places) >= MAX_CONFIGS:
            if not self._has_warned:
                log.warning("over %d configs: metrics count further ones as config %r", MAX_CONFIGS, OTHER)
            self._has_warned = True
            return False
        self._places[plan.config] = _Place(0, self._clock())
        return True

    def _free_a_place(self) -> None:
        """Forgets configs that count nothing since a day."""
        now = self._clock()
        if now - self._swept < SWEEP_S:
            return
        self._swept, totals = now, self._totals()
        for config, place in list(self._places.items()):
            if totals.get(config, 0) != place.total:
                self._places[config] = _Place(totals.get(config, 0), now)
            elif now - place.since >= IDLE_S:
                self._forget(config)

    def _totals(self) -> Tally[str]:
        totals: Tally[str] = Tally()
        for (_, config, _), counts in self._counts.items():
            totals[config] += int(sum(count.value for count in counts.outcomes.values()))
        return totals

    def _forget(self, config: str) -> None:
        del self._places[config]
        for name, of, is_train in [key for key in self._counts if key[1] == config]:
            del self._counts[name, of, is_train]
        for family in (*self._families.all, self._info):
            family.forget("config", config)
