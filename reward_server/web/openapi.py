"""The OpenAPI page: each reward's parameters with their types, each body with its shapes, from the declarations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi.responses import PlainTextResponse

from reward_server.catalog import Catalog, Chosen
from reward_server.dialects import DIALECTS, nemo_gym
from reward_server.dialects.row import SCHEMA as EXPLAIN_SCHEMA
from reward_server.rewards.mix import MixReward
from reward_server.rewards.recipe import NOT_OF_A_PART
from reward_server.rewards.reward import AnyReward
from reward_server.rewards.table import REWARDS

ERROR_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {"code": {"type": "string"}, "message": {"type": "string"}, "detail": {}},
        }
    },
}
ERRORS = {
    401: "The key is missing or wrong.",
    404: "No such path.",
    413: "The body or the batch could never fit.",
    415: "The body is compressed.",
    422: "The request is wrong.",
    500: "Our fault.",
    501: "No reward model is configured.",
    503: "Come back after Retry-After seconds.",
}
Route = dict[str, Any]


def score(catalog: Catalog, name: str) -> Route:
    return _route(
        catalog,
        name,
        f"Score completions with {name}",
        {"anyOf": [{"title": dialect.NAME, **dialect.SCHEMA} for dialect in DIALECTS]},
    )


def explain(catalog: Catalog, name: str) -> Route:
    route = _route(catalog, name, f"Explain one reward of {name}", EXPLAIN_SCHEMA)
    content = route["openapi_extra"]["requestBody"]["content"]
    content["text/plain"] = {"schema": {"type": "string", "description": "The completion; the rest in the query."}}
    return route


def verify(catalog: Catalog, name: str) -> Route:
    return _route(catalog, name, f"NeMo-Gym: verify a rollout with {name}", nemo_gym.SCHEMA)


def seed_session(catalog: Catalog, name: str) -> Route:
    return _route(catalog, name, f"NeMo-Gym: begin a rollout of {name}", {"type": "object"})


def reverify_mode(name: str) -> Route:
    return {"summary": f"NeMo-Gym: whether rollouts of {name} may be verified again"}


def rewards(catalog: Catalog) -> list[dict[str, Any]]:
    """Every reward: name, base, meaning, what its variant sets, its parameters as JSON schema."""
    return [
        {
            "name": name,
            "base": catalog.base(name),
            "meaning": (REWARDS[catalog.base(name)].__doc__ or "").strip(),
            "sets": catalog.defaults(name),
            "parameters": _parameters(catalog, name),
        }
        for name in catalog.names
    ]


def _parameters(catalog: Catalog, name: str) -> dict[str, dict[str, Any]]:
    """The schema of each parameter; of a variant that is made of others, those of its parts too: `right.flip_prob`."""
    own = _properties(catalog, REWARDS[catalog.base(name)])
    return own | (dict(_of_parts(catalog, catalog.chosen(name))) if name not in REWARDS else {})


def _of_parts(catalog: Catalog, chosen: Chosen) -> Iterator[tuple[str, dict[str, Any]]]:
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


def _route(catalog: Catalog, name: str, summary: str, body: dict[str, Any]) -> Route:
    return {
        "summary": summary,
        "responses": {status: _error(meaning) for status, meaning in ERRORS.items()},
        "openapi_extra": {
            "parameters": _query_parameters(catalog, name),
            "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        },
    }


def _properties(catalog: Catalog, kind: type[AnyReward]) -> dict[str, dict[str, Any]]:
    """The parameters as JSON schema; those that name a check with the names that there are."""
    properties: dict[str, dict[str, Any]] = kind.model_json_schema()["properties"]
    for parameter in kind.asks_checks:
        names = next((each for each in properties[parameter].get("anyOf", []) if each.get("type") == "string"), None)
        (names if names is not None else properties[parameter])["enum"] = list(catalog.check_names)
    return properties


def _query_parameters(catalog: Catalog, name: str) -> list[dict[str, Any]]:
    """One entry a parameter; a variant's own settings are its defaults."""
    sets = catalog.defaults(name)
    parameters = []
    for parameter, schema in _parameters(catalog, name).items():
        meaning = schema.pop("description", "")
        if parameter in sets:
            schema["default"] = sets[parameter]
        entry = {"name": parameter, "in": "query", "description": meaning, "schema": schema}
        is_list = any("items" in kind for kind in schema.get("anyOf", ()))
        parameters.append(entry | ({"explode": False} if is_list else {}))  # with commas, not several times
    return parameters


def _error(meaning: str) -> dict[str, Any]:
    return {"description": meaning, "content": {"application/json": {"schema": ERROR_SCHEMA}}}


def _plain(summary: str) -> Route:
    return {"summary": summary, "responses": {503: _error(ERRORS[503])}}


PLAIN: dict[str, Route] = {
    "/rewards": _plain("The rewards and their parameters"),
    "/rewards/{name}/noise": {
        "summary": "How often a reward was wrong, as a second opinion has it; the query string picks one config",
        "responses": {status: _error(ERRORS[status]) for status in (401, 404, 422, 503)},
        "openapi_extra": {
            "parameters": [{"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}]
        },
    },
    "/health": _plain("The process is alive"),
    "/ready": _plain("The server takes work"),
    "/metrics": _plain("Prometheus metrics") | {"response_class": PlainTextResponse},
}
