"""The parameters of a reward as OpenAPI shows them: what can stand in a query string, and what has to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reward_server.catalog.catalog import Catalog
from reward_server.catalog.chosen import Chosen
from reward_server.rewards.mix import MixReward
from reward_server.rewards.recipe import NOT_OF_A_PART
from reward_server.rewards.reward import AnyReward
from reward_server.rewards.table import REWARDS

Schema = dict[str, Any]


def query_parameters(catalog: Catalog, name: str) -> list[Schema]:
    """One entry a parameter; a variant's own settings are its defaults."""
    sets = catalog.defaults(name)
    needed = {field for field, each in REWARDS[catalog.base(name)].model_fields.items() if each.is_required()} - set(
        sets
    )
    return [_parameter(field, each, sets, field in needed) for field, each in parameters_of(catalog, name).items()]


def parameters_of(catalog: Catalog, name: str) -> dict[str, Schema]:
    """The schema of each parameter; of a variant that is made of others, those of its parts too: `right.flip_prob`."""
    own = _properties(catalog, REWARDS[catalog.base(name)])
    return own | (dict(_of_parts(catalog, catalog.chosen(name))) if name not in REWARDS else {})


def _of_parts(catalog: Catalog, chosen: Chosen) -> Iterator[tuple[str, Schema]]:
    for part, of in chosen.parts.items():
        if isinstance(chosen.reward, MixReward):
            weight = chosen.reward.weights[part]
            meaning = f"Weight of the part {part}, which is {of.name}."
            yield part, {"type": "number", "default": weight, "description": meaning}
        values = of.reward.model_dump(mode="json")
        for parameter, schema in _properties(catalog, type(of.reward)).items():
            if parameter not in NOT_OF_A_PART:
                yield f"{part}.{parameter}", {**schema, "default": values[parameter]}
        for inner, schema in _of_parts(catalog, of):
            yield f"{part}.{inner}", schema


def _properties(catalog: Catalog, kind: type[AnyReward]) -> dict[str, Schema]:
    """The parameters as JSON schema; those that name a check with the names that there are."""
    properties: dict[str, Schema] = kind.model_json_schema()["properties"]
    for parameter in kind.asks_checks:
        names = next((each for each in properties[parameter].get("anyOf", []) if each.get("type") == "string"), None)
        (names if names is not None else properties[parameter])["enum"] = list(catalog.check_names)
    return properties


def _parameter(name: str, schema: Schema, sets: dict[str, object], is_needed: bool) -> Schema:
    kinds = _kinds(schema)
    shown = {key: value for key, value in schema.items() if key not in ("anyOf", "oneOf", "description", "title")}
    if shown.get("default", "") is None:
        del shown["default"]
    if name in sets:
        shown["default"] = sets[name]
    if kinds:
        shown |= kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
    entry = {"name": name, "in": "query", "description": schema.get("description", ""), "schema": shown}
    is_list = any(kind.get("type") == "array" for kind in kinds)
    return entry | ({"required": True} if is_needed else {}) | ({"explode": False} if is_list else {})  # with commas


def _kinds(schema: Schema) -> list[Schema]:
    """What a value may be, without null: a query string has none, and a parameter that is not wanted is left out.

    >>> _kinds({"anyOf": [{"oneOf": [{"type": "number"}, {"type": "string"}]}, {"type": "null"}]})
    [{'type': 'number'}, {'type': 'string'}]
    """
    within = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
    found = [kind for each in within for kind in (_kinds(each) or [each])]
    return [kind for kind in found if kind.get("type") != "null"]
