"""What a mix or a route is made of: tables of `rewards.toml`, and what a query string says and changes.

    [blend]                                POST /score/mix?flip=0.8&flip.flip_prob=0.4&rpr=0.2&gate=flip
    base = "mix"
    gate = "right"                         PART=WEIGHT           of a plain mix: a part of that reward's name
    [blend.parts.right]                    PART=WEIGHT           of a variant: another weight of that part
    reward = "flip"                        PART.PARAMETER=VALUE  another parameter of that part
    weight = 0.8                           gate=                 no gate
    flip_prob = 0.4

    [by-source]                            POST /score/route?gsm8k=verifier&chat=rpr
    base = "route"
    [by-source.routes]                     SOURCE=REWARD             of a plain route
    gsm8k = "verifier"                     SOURCE.PARAMETER=VALUE    another parameter of that source's reward

Parameters come in layers: what a variant sets, what the table of a part sets over that, what the query string sets over
both. A part that is made of others again has dots in dots: `PART.INNER.PARAMETER`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from reward_server.errors import shortened

Layer = Mapping[str, object]
"""Parameters by name, from one place."""
Known = Mapping[str, Collection[str] | None]
"""All rewards, with the parameters that each takes; None: it is made of others."""
TABLES = {"mix": "parts", "route": "routes"}
"""Which table of `rewards.toml` holds what each is made of."""
MAX_WEIGHT = 1e6
"""So that no sum is infinite."""
NOT_OF_A_PART = ("reply", "fallback_reward", "unscored", "run", "step")
"""What is done with a reward, which is the mix's or the route's to say."""
TAKEN = frozenset(
    {  # what the query string says of the whole, and what replies say beside the parts
        *("gate", *NOT_OF_A_PART),
        *("components", "clean", "flipped", "unscored", "unanswered", "timeout", "bad_format"),
        *("flip_draw", "flip_if", "wrong_label", "warmup", "reference", "reference_share", "model_score", "calibrated"),
        *("reward", "rewards", "score", "scores", "overall", "accuracy", "acc"),
        *("completion", "completions", "prompt", "response", "responses_create_params", "instance_config"),
        *("ground_truth", "expected_answer", "answer", "label", "group", "visit", "source", "step", "id"),
    }
)
"""Names that mean something else in a query string or a reply: NeMo-Gym's holds the parts beside its row's columns."""
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
_WEIGHT = TypeAdapter(Annotated[float, Field(ge=-MAX_WEIGHT, le=MAX_WEIGHT, allow_inf_nan=False)])


@dataclass
class Ingredient:
    """A part: which reward, with which parameters over its own, and what it is worth (a mix)."""

    reward: str
    weight: float = 1.0
    layers: list[Layer] = field(default_factory=list)


@dataclass
class Recipe:
    """`own`: parameters of the mix or the route itself. `parts`: by name, or by source."""

    own: dict[str, object] = field(default_factory=dict)
    parts: dict[str, Ingredient] = field(default_factory=dict)


def recipe(base: str, layers: Collection[Layer], own: Collection[str], known: Known) -> Recipe:
    """`layers`: from the variant's table to the query string. `own`: the base's own parameters.

    Raises ValueError, which names the parameter.
    """
    made = Recipe()
    for layer in layers:
        _add(made, base, layer, own, known)
    if not made.parts:
        raise ValueError(f"it has no parts: {_how(base, made)}")
    return made


def _add(made: Recipe, base: str, layer: Layer, own: Collection[str], known: Known) -> None:
    table = layer.get(TABLES[base])
    is_fixed = bool(made.parts)  # a variant's parts can be changed, and not be added to
    if table is not None and not isinstance(table, Mapping):
        raise ValueError(f"{TABLES[base]}: expected a table, [NAME.{TABLES[base]}] in rewards.toml")
    if isinstance(table, Mapping):
        made.parts |= {str(name): _of_table(base, str(name), entry) for name, entry in table.items()}
        is_fixed = True
        layer = {key: value for key, value in layer.items() if key != TABLES[base]}
    inner: dict[str, dict[str, object]] = {}
    new = set() if is_fixed else {key for key in layer if _is_new_part(base, layer, key, known)}
    for key, value in sorted(layer.items(), key=lambda item: ("." in item[0]) + (item[0] not in new)):  # parts first
        if key in own:
            made.own[key] = value
        elif key in made.parts and base == "mix":
            made.parts[key].weight = _weight(key, value)
        elif key in new:
            made.parts[_named(base, key)] = _of_query(base, key, value)
        else:
            part, parameter = _dotted(made, base, key, None if is_fixed else value)
            inner.setdefault(part, {})[parameter] = value
    for part, parameters in inner.items():
        made.parts[part].layers.append(parameters)


def _of_table(base: str, name: str, entry: object) -> Ingredient:
    """A part as `rewards.toml` has it."""
    if base == "route":
        if not isinstance(entry, str):
            raise ValueError(f'routes.{name}: expected the name of a reward, as in {name} = "verifier"')
        return Ingredient(entry)
    if not isinstance(entry, Mapping) or not isinstance(entry.get("reward"), str) or "weight" not in entry:
        raise ValueError(f"parts.{name}: expected a table with `reward`, a name, and `weight`, a number")
    given = dict(_flat({key: value for key, value in entry.items() if key not in ("reward", "weight")}))
    _refuse_foreign(name, given)
    return Ingredient(str(entry["reward"]), _weight(_named(base, name), entry["weight"]), [given] if given else [])


def _is_new_part(base: str, layer: Layer, key: str, known: Known) -> bool:
    """A source may hold dots, and a check be called as a reward is: `x.check=ifeval` is a parameter of source `x`."""
    if base == "mix" or not _is_in(known, layer[key]):
        return base == "mix" and key in known
    shorter = (key[:at] for at, letter in enumerate(key) if letter == ".")
    return not any(_takes(known, layer[name], key[len(name) + 1 :]) for name in shorter if name in layer)


def _takes(known: Known, reward: object, parameter: str) -> bool:
    """What is made of others takes any name, as a part of it."""
    takes = known[str(reward)] if _is_in(known, reward) else ()
    return takes is None or parameter in takes


def _is_in(known: Known, reward: object) -> bool:
    return isinstance(reward, str) and reward in known


def _of_query(base: str, key: str, value: object) -> Ingredient:
    return Ingredient(key, _weight(key, value)) if base == "mix" else Ingredient(str(value))


def _dotted(made: Recipe, base: str, key: str, value: object) -> tuple[str, str]:
    """The part and its parameter; a source may hold dots itself, and the longest that fits counts.

    `value`: of a key that might have been a new part, None where there can be none.
    """
    fitting = [name for name in made.parts if key.startswith(f"{name}.")]
    if not fitting:
        name = value if base == "route" else key
        no_reward = "" if value is None or "." in key else f", and no reward is called {shortened(str(name), 100)!r}"
        raise ValueError(f"{shortened(key, 100)}: no such parameter{no_reward} ({_how(base, made)})")
    part = max(fitting, key=len)
    parameter = key[len(part) + 1 :]
    _refuse_foreign(part, {parameter: None})
    return part, parameter


def _how(base: str, made: Recipe) -> str:
    parts = f"parts: {', '.join(made.parts)}; " if made.parts else ""
    if base == "route":
        return f"{parts}a route is SOURCE=REWARD, and a parameter of its reward SOURCE.PARAMETER=VALUE"
    own = ", ".join(("gate", *NOT_OF_A_PART))
    return f"{parts}a part is REWARD=WEIGHT, a parameter of it PART.PARAMETER=VALUE, and the mix itself has {own}"


def _refuse_foreign(part: str, parameters: Layer) -> None:
    for name in parameters:
        if name.rpartition(".")[2] in NOT_OF_A_PART:
            raise ValueError(f"{part}.{name}: it does nothing for a part; set {name} of the whole")


def _named(base: str, name: str) -> str:
    """The name of a mix's part: it becomes a key of every reply."""
    if base == "mix" and (name in TAKEN or not _NAME.fullmatch(name)):
        raise ValueError(
            f"parts.{name}: a part needs a name of a-z, 0-9, - and _ that URLs and replies have no other use for"
        )
    return name


def _weight(name: str, value: object) -> float:
    try:
        if isinstance(value, bool):
            raise ValueError
        return _WEIGHT.validate_python(value) + 0.0  # never -0.0, which is another digest
    except (ValidationError, ValueError):
        shown = shortened(str(value), 100)
        raise ValueError(f"{name}: a weight is a number of at most {MAX_WEIGHT:g}, not {shown!r}") from None


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    """`right.flip_prob = 0.2` is a table in a table to TOML."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
