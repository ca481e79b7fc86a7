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

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from hashlib import blake2b
from importlib.metadata import version
from json import dumps
from pathlib import Path
from typing import TypeVar
from urllib.parse import parse_qsl

import tomllib
from pydantic import ValidationError

from reward_server import __version__
from reward_server.checks.spec import AnyCheck
from reward_server.checks.table import BadCheck, read_checks
from reward_server.errors import CommandError, InvalidRequest, UnknownReward, shortened
from reward_server.grading.reading import BUILT_IN_CHECKS
from reward_server.rewards.composite import Composite
from reward_server.rewards.found import Needs
from reward_server.rewards.mix import MixReward
from reward_server.rewards.plan import Plan, blank, joined_needs, wait_for_several
from reward_server.rewards.reasoning import PhraseList, load_phrases
from reward_server.rewards.recipe import Ingredient, Layer, recipe
from reward_server.rewards.reward import AnyReward, Reward
from reward_server.rewards.route import RouteReward
from reward_server.rewards.table import REWARDS
from reward_server.settings import Settings

R = TypeVar("R", bound=AnyReward)
PACKAGED_LISTS = ("math", "open_ended")
MAX_GIVEN = 64
"""Parameters that a query string may give; no reward has half as many."""
MAX_DEPTH = 64
"""So often may a variant be a part of a part."""
MAX_LEAVES = 1000
"""Rewards that one mix or route may be made of, in all."""
GRADERS = ("math-verify", "latex2sympy2_extended", "sympy")


NO_PHRASES = PhraseList("none", ())
"""Of a reward that is made of others."""


class BadCatalog(CommandError, ValueError):
    """`rewards.toml` is wrong: which table, and why."""


@dataclass(frozen=True)
class Chosen:
    """A reward with its parameters set. `parts`: those that it is made of. `ingredients`: what was said of them."""

    name: str
    reward: AnyReward
    parts: Mapping[str, Chosen] = field(default_factory=dict)
    ingredients: Mapping[str, Ingredient] = field(default_factory=dict)

    @property
    def leaves(self) -> int:
        """How many rewards are not made of others."""
        return sum(part.leaves for part in self.parts.values()) if self.parts else 1


@dataclass(frozen=True)
class Tables:
    """What `rewards.toml` holds: checks of one's own, lists of phrases, and variants with what they set."""

    checks: Mapping[str, AnyCheck]
    lists: Mapping[str, PhraseList]
    variants: Mapping[str, tuple[str, dict[str, object]]]

    @classmethod
    def read(cls, settings: Settings) -> Tables:
        """Raises BadCatalog when it is wrong."""
        tables = _read(settings.config)
        folder = settings.config.parent if settings.config else Path()
        try:
            checks = read_checks(tables.pop("checks", {}), folder, request_timeout_s=settings.request_timeout_s)
        except BadCheck as error:
            raise BadCatalog(f"rewards.toml: {error}") from None
        lists = {name: load_phrases(name) for name in PACKAGED_LISTS} | _phrase_lists(tables.pop("phrases", {}))
        return cls(checks, lists, {name: _variant(name, table) for name, table in tables.items()})


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
        return self._planned(self._chosen(name, [sets, _parsed(query)]))

    def chosen(self, name: str, query: str = "") -> Chosen:
        """The same without its digest. Raises as `resolve` does, but for what `model()` raises."""
        return self._chosen(name, [_parsed(query)])

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
        reward = self._with_check(_validated(kind, values, name, where), where)
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
            made = recipe(self.base(name), layers, kind.model_fields, self.names)
        except ValueError as error:
            raise InvalidRequest(f"{where}{error}") from None
        reward = _validated(kind, made.own, name, where)
        parts = {
            part: self._chosen(each.reward, each.layers, f"{where}{part}.", within) for part, each in made.parts.items()
        }
        if isinstance(reward, MixReward):
            try:
                reward = reward.of({part: each.weight for part, each in made.parts.items()})
            except ValueError as error:
                raise InvalidRequest(f"{where}{error}") from None
            _refuse_corrected(reward.gate, parts, where)
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


def _refuse_corrected(gate: str, parts: Mapping[str, Chosen], where: str) -> None:
    """A gate that is never paid 0 would never close. Raises InvalidRequest."""
    if gate and getattr(parts[gate].reward, "correction", "none") != "none":
        raise InvalidRequest(f"{where}gate={gate}: under its correction it is never paid 0, so it would never close")


def _digested(all_that_counts: Mapping[str, object]) -> str:
    return blake2b(dumps(all_that_counts, sort_keys=True).encode(), digest_size=6).hexdigest()


def _validated(kind: type[R], values: Mapping[str, object], name: str, where: str) -> R:
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise _explained(error, name, kind, where) from None


def _read(path: Path | None) -> dict[str, object]:
    if path is None:
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadCatalog(f"cannot read {path}: {error}") from error


def _phrase_lists(table: object) -> dict[str, PhraseList]:
    if not isinstance(table, dict):
        raise BadCatalog("rewards.toml: [phrases] must be a table of lists of texts")
    lists = {}
    for name, phrases in table.items():
        if name in PACKAGED_LISTS:
            raise BadCatalog(f"rewards.toml: [phrases] {name} is taken by the list of that name")
        if not isinstance(phrases, list) or not all(isinstance(phrase, str) for phrase in phrases):
            raise BadCatalog(f"rewards.toml: [phrases] {name} must be a list of texts")
        try:
            lists[name] = PhraseList(name, phrases)
        except ValueError as error:
            raise BadCatalog(f"rewards.toml: [phrases] {name}: {error}") from error
    return lists


def _variant(name: str, table: object) -> tuple[str, dict[str, object]]:
    if name in REWARDS or not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name):
        raise BadCatalog(f"rewards.toml: [{name}]: a variant needs a name of its own, of a-z, 0-9, - and _")
    if not isinstance(table, dict) or table.get("base") not in REWARDS:
        raise BadCatalog(f"rewards.toml: [{name}]: base must be one of {', '.join(REWARDS)}")
    return table["base"], {key: value for key, value in table.items() if key != "base"}


def _parsed(query: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=MAX_GIVEN)
    except ValueError:
        raise InvalidRequest(f"the query string gives over {MAX_GIVEN} parameters") from None
    given = dict(pairs)
    if len(given) < len(pairs):
        raise InvalidRequest("the query string gives a parameter twice")
    return given


def _explained(error: ValidationError, name: str, kind: type[AnyReward], prefix: str) -> InvalidRequest:
    """The first thing wrong in words, all of them in the detail. `prefix`: of the parameters' names."""
    problems = [
        {
            "parameter": shortened("".join(map(str, item["loc"][:1])), 100) or None,  # and not which of its types
            "problem": _problem(item["type"], item["msg"]),
        }
        for item in error.errors(include_url=False, include_input=False, include_context=False)
    ]
    first = problems[0]
    where = f"{prefix}{first['parameter']}: " if first["parameter"] else f"{prefix.removesuffix('.')}: " * bool(prefix)
    valid = ", ".join(kind.model_fields)
    return InvalidRequest(f"{where}{first['problem']} (parameters of {name}: {valid})", problems)


def _problem(kind: str, message: str) -> str:
    return "no such parameter" if kind == "extra_forbidden" else message.removeprefix("Value error, ")
