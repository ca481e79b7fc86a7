"""The query string as parameters of a reward, and what is wrong with them in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar
from urllib.parse import parse_qsl

from pydantic import ValidationError

from reward_server.errors import InvalidRequest, shortened
from reward_server.rewards.reward import AnyReward

R = TypeVar("R", bound=AnyReward)
MAX_GIVEN = 64
"""Parameters that a query string may give; no reward has half as many."""


def parsed(query: str) -> dict[str, str]:
    """Names and values. Raises InvalidRequest where one comes twice, or too many come."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=MAX_GIVEN)
    except ValueError:
        raise InvalidRequest(f"the query string gives over {MAX_GIVEN} parameters") from None
    given = dict(pairs)
    if len(given) < len(pairs):
        raise InvalidRequest("the query string gives a parameter twice")
    return given


def validated(kind: type[R], values: Mapping[str, object], name: str, where: str) -> R:
    """The reward with these parameters. `where`: stands before their names in a message. Raises InvalidRequest."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise _explained(error, name, kind, where) from None


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
