"""The query string as parameters of a reward, and what is wrong with them in words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeVar
from urllib.parse import parse_qsl

from pydantic import ValidationError

from reward_server.errors import InvalidRequest, shortened
from reward_server.rewards.reward import AnyReward

R = TypeVar("R", bound=AnyReward)
_REGEX_WITH_PLUS = re.compile(r"(?:^|&)((?:[^&=]*\.)?flip_if)=regex:[^&]*\+")
"""Typed by hand: who encodes a query string writes `:` as %3A, and may write a blank as +."""
MAX_GIVEN = 64
"""Parameters that a query string may give; no reward has half as many."""


def parsed(query: str) -> dict[str, str]:
    """Names and values. Raises InvalidRequest where one comes twice, too many come, or it is not what was meant."""
    if (plus := _REGEX_WITH_PLUS.search(query)) is not None:
        raise InvalidRequest(
            f"{shortened(plus[1], 100)}: a + in a query string is a blank, so the expression would be another one:"
            " write %2B for a plus, and %20 for a blank"
        )
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=MAX_GIVEN, errors="strict")
    except UnicodeDecodeError:
        raise InvalidRequest("the query string is not UTF-8: of é the escape is %C3%A9, and not %E9") from None
    except ValueError:
        raise InvalidRequest(f"the query string gives over {MAX_GIVEN} parameters") from None
    given = dict(pairs)
    if len(given) < len(pairs):
        raise InvalidRequest("the query string gives a parameter twice")
    return given


def validated(kind: type[R], values: Mapping[str, object], name: str, where: str) -> R:
    """The reward with these parameters. `where`: stands before their names in a message. Raises InvalidRequest."""
    for parameter, value in values.items():
        field = kind.model_fields.get(parameter)
        if isinstance(value, bool) and field is not None and field.annotation is not bool:
            raise InvalidRequest(f"{where}{parameter}: it is not true or false")  # to pydantic, true is also 1
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
