"""The OpenAPI page: each path with its parameters, each body and each reply with its shapes, from the declarations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.responses import PlainTextResponse
from pydantic import TypeAdapter
from typing_extensions import TypedDict

from reward_server.catalog.catalog import Catalog
from reward_server.dialects import DIALECTS, nemo_gym, row
from reward_server.explaining.explained import Explanation
from reward_server.rewards.table import REWARDS
from reward_server.web.auth import is_protected
from reward_server.web.query_parameters import Schema, parameters_of, query_parameters

Route = dict[str, Any]
TAGS = [
    {
        "name": "score",
        "description": "Scores samples. The shape of the body says who is calling, and the reply has the same shape.",
    },
    {"name": "explain", "description": "Shows how one sample comes to its reward. Indented, for people."},
    {
        "name": "NeMo-Gym",
        "description": "The same for NeMo-Gym, NeMo-RL, verifiers, prime-rl and axolotl. They send no query string: a"
        " variant of `rewards.toml` carries the parameters.",
    },
    {"name": "service", "description": "What the server tells of itself. Open to everybody, but for `/rewards`."},
]
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
REF = "#/components/schemas/"
REQUESTS = {
    dialect.NAME: "".join(map(str.capitalize, dialect.NAME.split("_"))) + "Request" for dialect in (*DIALECTS, nemo_gym)
}
EXPLAIN_REQUEST = "ExplainRequest"
"""The names of the bodies' schemas; those of replies are the names of their types."""


class State(TypedDict):
    """Alive, or ready."""

    status: str
    version: str


class ShownReward(TypedDict):
    """A reward. `sets`: what its variant sets. `parameters`: JSON schemas by name."""

    name: str
    base: str
    meaning: str
    sets: dict[str, Any]
    parameters: dict[str, Any]


class RewardList(TypedDict):
    """Every reward."""

    rewards: list[ShownReward]
    version: str


class ErrorBody(TypedDict):
    """`code`: for programs. `detail`: of some errors."""

    code: str
    message: str


class Error(TypedDict):
    """The one shape of every error."""

    error: ErrorBody


def score(catalog: Catalog, name: str) -> Route:
    replies = _one_of(_ref(reply) for dialect in DIALECTS for reply in dialect.REPLIES)
    bodies = {"anyOf": [{"$ref": REF + REQUESTS[dialect.NAME]} for dialect in DIALECTS]}
    summary = f"Score completions with {name}. {_meaning(catalog, name)}"
    return _route(catalog, name, summary, f"score_{name}", "score", bodies, replies)


def explain(catalog: Catalog, name: str) -> Route:
    body, reply = {"$ref": REF + EXPLAIN_REQUEST}, _ref(Explanation)
    route = _route(catalog, name, f"Explain one reward of {name}.", f"explain_{name}", "explain", body, reply)
    content = route["openapi_extra"]["requestBody"]["content"]
    content["text/plain"] = {"schema": {"type": "string", "description": "The completion; the rest in the query."}}
    return route


def verify(catalog: Catalog, name: str, operation: str = "verify_{}") -> Route:
    body, reply = {"$ref": REF + REQUESTS[nemo_gym.NAME]}, _one_of(map(_ref, nemo_gym.REPLIES))
    return _route(catalog, name, f"Verify a rollout with {name}.", operation.format(name), "NeMo-Gym", body, reply)


def seed_session(catalog: Catalog, name: str, operation: str = "seed_session_{}") -> Route:
    anything, nothing = {"type": "object"}, {"type": "object", "additionalProperties": False}
    summary = f"Begin a rollout of {name}: there is nothing to do."
    return _route(catalog, name, summary, operation.format(name), "NeMo-Gym", anything, nothing)


def reverify_mode(name: str, operation: str = "reverify_mode_{}") -> Route:
    return {
        "summary": f"May rollouts of {name} be verified again?",
        "operation_id": operation.format(name),
        "tags": ["NeMo-Gym"],
        "responses": {200: _answer("The mode.", {"const": nemo_gym.REVERIFY_MODE})},
    }


def rewards(catalog: Catalog) -> list[ShownReward]:
    """Every reward: name, base, meaning, what its variant sets, its parameters as JSON schema."""
    return [
        {
            "name": name,
            "base": catalog.base(name),
            "meaning": _meaning(catalog, name),
            "sets": catalog.defaults(name),
            "parameters": parameters_of(catalog, name),
        }
        for name in catalog.names
    ]


def _meaning(catalog: Catalog, name: str) -> str:
    return (REWARDS[catalog.base(name)].__doc__ or "").strip()


def document(app: FastAPI, needs_key: bool) -> dict[str, Any]:
    """The whole document, made once: FastAPI's, with the named schemas and with who has to show a key."""
    if app.openapi_schema is None:
        made = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes, tags=TAGS)
        made["components"] = {"schemas": _schemas()}
        if needs_key:
            made["components"]["securitySchemes"] = {
                "bearer": {"type": "http", "scheme": "bearer"},
                "basic": {"type": "http", "scheme": "basic"},
            }
            for operation in (
                each for path in made["paths"] if is_protected(path) for each in made["paths"][path].values()
            ):
                operation["security"] = [{"bearer": []}, {"basic": []}]
        app.openapi_schema = made
    return app.openapi_schema


def _schemas() -> dict[str, Schema]:
    """Bodies by dialect, then replies by type, those within others too."""
    bodies = {REQUESTS[dialect.NAME]: _described(dialect.SCHEMA, dialect.__doc__) for dialect in (*DIALECTS, nemo_gym)}
    types = [reply for dialect in (*DIALECTS, nemo_gym) for reply in dialect.REPLIES]
    replies: dict[str, Schema] = {}
    for kind in (*types, Explanation, State, RewardList, Error):
        made = TypeAdapter(kind).json_schema(ref_template=REF + "{model}")
        replies |= made.pop("$defs", {})
        if "title" in made:
            replies[made["title"]] = made
    return {**bodies, EXPLAIN_REQUEST: _described(row.SCHEMA, row.__doc__), **replies}


def _described(schema: Schema, docstring: str | None) -> Schema:
    """A module's schema with what its docstring says first."""
    return {"description": (docstring or "").partition("\n")[0], **schema}


def _ref(kind: Any) -> Schema:
    """A type's schema: a reference where it has a name of its own."""
    made = TypeAdapter(kind).json_schema(ref_template=REF + "{model}")
    made.pop("$defs", None)
    return {"$ref": REF + made["title"]} if "title" in made else made


def _one_of(schemas: Iterable[Schema]) -> Schema:
    found = list(schemas)
    return found[0] if len(found) == 1 else {"oneOf": found}


def _route(catalog: Catalog, name: str, summary: str, operation: str, tag: str, body: Schema, reply: Schema) -> Route:
    return {
        "summary": summary,
        "operation_id": operation,
        "tags": [tag],
        "responses": {200: _answer("The reply.", reply), **{status: _error(said) for status, said in ERRORS.items()}},
        "openapi_extra": {
            "parameters": query_parameters(catalog, name),
            "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        },
    }


def _answer(meaning: str, schema: Schema) -> dict[str, Any]:
    return {"description": meaning, "content": {"application/json": {"schema": schema}}}


def _error(meaning: str) -> dict[str, Any]:
    return _answer(meaning, _ref(Error))


def _plain(name: str, summary: str, reply: Any = None) -> Route:
    answers = {} if reply is None else {200: _answer("The reply.", _ref(reply))}
    return {
        "summary": summary,
        "operation_id": name,
        "tags": ["service"],
        "responses": {**answers, 503: _error(ERRORS[503])},
    }


PLAIN: dict[str, Route] = {
    "/rewards": _plain("rewards", "The rewards and their parameters.", RewardList),
    "/rewards/{name}/noise": {
        "summary": "How often a reward was wrong, as a second opinion has it. The query picks one configuration.",
        "operation_id": "reward_noise",
        "tags": ["service"],
        "responses": {
            200: _answer("What was measured.", {"type": "object"}),
            **{status: _error(ERRORS[status]) for status in (401, 404, 422, 503)},
        },
        "openapi_extra": {
            "parameters": [{"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}]
        },
    },
    "/health": _plain("health", "The process is alive.", State),
    "/ready": _plain("ready", "The server takes work.", State),
    "/metrics": _plain("metrics", "Prometheus metrics.") | {"response_class": PlainTextResponse},
}
