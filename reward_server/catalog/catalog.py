"""Which rewards there are, and what one URL means: the name and the query string become a `Plan`.

A reward is one of `table.py`, or a variant that `rewards.toml` names:

    [math-noisy]            # POST /score/math-noisy
    base = "flip"
    flip_prob = 0.4

    [checks.mine]           # a check of one's own, for `check=mine`
    python = "my_checks:mine"

    [phrases]               # lists for the parameter `phrases`
    mine = ["wait", "let me check"]

A variant gives defaults; the query string may still set any parameter. What mixes and routes are made of: `recipe.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from hashlib import blake2b
from importlib.metadata import version
from json import dumps

from reward_server import __version__
from reward_server.catalog.chosen import Chosen, refuse_corrected
from reward_server.catalog.parameters import R, parsed, validated
from reward_server.catalog.tables import BadCatalog, Tables
from reward_server.checks.spec import AnyCheck
from reward_server.errors import InvalidRequest, UnknownReward, shortened
from reward_server.grading.reading import BUILT_IN_CHECKS
from reward_server.rewards.composite import Composite
from reward_server.rewards.found import Needs
from reward_server.rewards.mix import MixReward
from reward_server.rewards.plan import Plan, blank, joined_needs, wait_for_several
from reward_server.rewards.reasoning import PhraseList
from reward_server.rewards.recipe import Known, Layer, recipe
from reward_server.rewards.reward import Reward
from reward_server.rewards.route import RouteReward
from reward_server.rewards.table import REWARDS
from reward_server.settings import Settings

MAX_DEPTH = 16
"""So often may a variant be a part of a part. The largest weight at each depth is 1e6: all of them are a number yet."""
MAX_LEAVES = 1000
"""Rewards that one mix or route may be made of, in all."""
GRADERS = ("math-verify", "latex2sympy2_extended", "sympy")
NO_PHRASES = PhraseList("none", ())
"""Of a reward that is made of others."""


class Catalog:
    """The rewards of one server. Raises BadCatalog when `rewards.toml` is wrong."""

    def __init__(
        self, settings: Settings, model: Callable[[], object] = lambda: None, tables: Tables | None = None
    ) -> None:
        """`model()`: all of the reward model that can change a score; it may raise while that is not known.

        `tables`: of `rewards.toml`, where they were read before.
        """
        self._settings = settings
        self._model = model
        tables = tables or Tables.read(settings)
        self.checks, self._lists, self._variants = tables.checks, tables.lists, tables.variants
        self.check_names = (*BUILT_IN_CHECKS, *self.checks)
        self.names = (*REWARDS, *self._variants)
        kinds = {name: REWARDS[self.base(name)] for name in self.names}
        self._known: Known = {
            name: None if issubclass(kind, Composite) else kind.model_fields for name, kind in kinds.items()
        }
        self.resolve = lru_cache(maxsize=1024)(self._resolve)
        for name in self._variants:
            self._check_variant(name)
        if settings.verify_reward is not None:
            self.check_name(settings.verify_reward)

    def check_name(self, name: str) -> None:
        """Raises UnknownReward, which names the known ones."""
        if name not in self.names:
            raise UnknownReward(f"no reward is called {shortened(name, 100)!r}; known: {', '.join(self.names)}")

    def base(self, name: str) -> str:
        """The reward of `table.py` that `name` is, or is a variant of."""
        return self._variants[name][0] if name in self._variants else name

    def defaults(self, name: str) -> dict[str, object]:
        """What a variant sets; empty for a reward of `table.py`."""
        return self._variants[name][1] if name in self._variants else {}

    def variant(self, name: str) -> dict[str, object] | None:
        """What `rewards.toml` says of a variant, its `base` included; None for a reward of `table.py`."""
        return {"base": self.base(name), **self.defaults(name)} if name in self._variants else None

    def _resolve(self, name: str, query: str) -> Plan:
        """The plan of one URL. Raises UnknownReward, or InvalidRequest that names the parameter and the valid ones;
        for `rm` what `model()` raises, which is not kept."""
        return self._planned(self.chosen(name, query))

    def resolve_over(self, name: str, sets: Layer, query: str) -> Plan:
        """The same where a variant, which need not be one of this catalog, sets something first."""
        return self._planned(self._chosen(name, [sets, parsed(query)]))

    def chosen(self, name: str, query: str = "") -> Chosen:
        """The same without its digest. Raises as `resolve` does, but for what `model()` raises."""
        return self._chosen(name, [parsed(query)])

    def _chosen(self, name: str, layers: Sequence[Layer], where: str = "", within: tuple[str, ...] = ()) -> Chosen:
        """`layers`: parameters over the variant's own. `where`: stands before their names in a message, for a part.
        `within`: the variants that it is a part of."""
        self.check_name(name)
        layers = [self.defaults(name), *layers]
        kind = REWARDS[self.base(name)]
        if issubclass(kind, Composite):
            return self._composed(name, kind, layers, where, within)
        values: dict[str, object] = {}
        for layer in layers:
            values = kind.merged(values, layer)
        reward = self._with_check(validated(kind, values, name, where), where)
        if isinstance(reward, Reward) and reward.phrases not in self._lists:
            raise InvalidRequest(
                f"{where}phrases: no list is called {shortened(reward.phrases, 100)!r}; known: {', '.join(self._lists)}"
            )
        return Chosen(name, reward)

    def checks_of(self, plan: Plan) -> dict[str, AnyCheck]:
        """The checks of one's own that a plan asks."""
        asked = {name for needs in plan.all_needs() for name in (needs.check, needs.reference)}
        return {name: check for name, check in self.checks.items() if name in asked}

    def _with_check(self, reward: R, where: str) -> R:
        """The reward, its answer read where its check reads it unless `answer` was set. Raises InvalidRequest for a
        check that is not known."""
        for field_name in reward.asks_checks:
            name = getattr(reward, field_name)
            if name is not None and name not in self.check_names:
                raise InvalidRequest(
                    f"{where}{field_name}: no check is called {shortened(name, 100)!r}; known:"
                    f" {', '.join(self.check_names)}"
                )
        own = self.checks.get(getattr(reward, "check", ""))
        if own is None or "answer" in reward.model_fields_set:
            return reward
        return reward.model_copy(update={"answer": own.reads})

    def _composed(
        self, name: str, kind: type[Composite], layers: Sequence[Layer], where: str, within: tuple[str, ...]
    ) -> Chosen:
        if name in within:
            raise InvalidRequest(f"{' → '.join((*within, name))}: a reward cannot be a part of itself")
        if name in self._variants:
            within = (*within, name)
        if len(within) > MAX_DEPTH:
            raise InvalidRequest(f"{name} is a part of a part, {MAX_DEPTH} times over; that is too deep")
        try:
            made = recipe(self.base(name), layers, kind.model_fields, self._known)
        except ValueError as error:
            raise InvalidRequest(f"{where}{error}") from None
        reward = validated(kind, made.own, name, where)
        parts = {
            part: self._chosen(each.reward, each.layers, f"{where}{part}.", within) for part, each in made.parts.items()
        }
        if isinstance(reward, MixReward):
            try:
                reward = reward.of({part: each.weight for part, each in made.parts.items()})
            except ValueError as error:
                raise InvalidRequest(f"{where}{error}") from None
            refuse_corrected(reward.gate, parts, where)
        chosen = Chosen(name, reward, parts, made.parts)
        if chosen.leaves > MAX_LEAVES:
            raise InvalidRequest(f"{where}{name}: it is made of {chosen.leaves} rewards; {MAX_LEAVES} are the most")
        return chosen

    def _planned(self, chosen: Chosen) -> Plan:
        reward = chosen.reward
        if not isinstance(reward, Reward):
            return self._joined(chosen)
        needs, phrases = self._referred(reward.needs()), self._lists[reward.phrases]
        digest = self._digest(self.base(chosen.name), reward, needs, phrases)
        return Plan(chosen.name, reward, needs, phrases, digest)

    def _referred(self, needs: Needs) -> Needs:
        """A second opinion reads where the check does. One of one's own reads where it says; the built-in ones read
        the box where the check reads the whole turn, which is no answer to compare."""
        own = self.checks.get(needs.reference or "")
        if own is not None:
            return replace(needs, reference_place=own.reads)
        is_turn = needs.place == "turn" and needs.check in self.checks
        return replace(needs, reference_place="box") if needs.reference is not None and is_turn else needs

    def _joined(self, chosen: Chosen) -> Plan:
        reward, parts = chosen.reward, {name: self._planned(part) for name, part in chosen.parts.items()}
        is_route = isinstance(reward, RouteReward)
        if isinstance(reward, RouteReward):
            rewards = {source: (part.name, part.config) for source, part in parts.items()}
            reward = reward.of(rewards, {source: blank(part) for source, part in parts.items()})
        all_that_counts = {
            "version": __version__,
            "reward": self.base(chosen.name),
            "parameters": reward.counted(),
            "parts": [[name, chosen.ingredients[name].weight, part.config] for name, part in parts.items()],
        }
        several = tuple(parts.values())
        return Plan(
            chosen.name,
            reward,
            reward.needs(),
            NO_PHRASES,
            _digested(all_that_counts),
            parts,
            joined_needs(several),
            wait_for_several(several, is_route),
        )

    def _digest(self, base: str, reward: Reward, needs: Needs, phrases: PhraseList) -> str:
        all_that_counts: dict[str, object] = {
            "version": __version__,
            "reward": base,
            "parameters": reward.counted(),
            "phrases": phrases.phrases,
        }
        asked = [getattr(reward, field_name) for field_name in reward.asks_checks]
        if own := {name: self.checks[name].digest for name in asked if name in self.checks}:
            all_that_counts["checks"] = own
        if needs.reference_place is not None:
            all_that_counts["reference_place"] = needs.reference_place
        if needs.check is not None:
            if any(name in BUILT_IN_CHECKS for name in asked):
                all_that_counts["graders"] = {name: version(name) for name in GRADERS}
            all_that_counts["budget"] = self._settings.model_dump(
                include={"soft_timeout_s", "hard_timeout_s", "worker_memory_mb"}
            )
        if needs.model is not None:
            all_that_counts["model"] = self._model()
        return _digested(all_that_counts)

    def _check_variant(self, name: str) -> None:
        try:
            self.chosen(name)
        except (InvalidRequest, UnknownReward) as error:
            raise BadCatalog(f"rewards.toml: [{name}]: {error.message}") from None


def _digested(all_that_counts: Mapping[str, object]) -> str:
    return blake2b(dumps(all_that_counts, sort_keys=True).encode(), digest_size=6).hexdigest()
