"""`[checks]` of rewards.toml: each table is a check, whose kind its keys say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from reward_server.checks.spec import AnyCheck, GraderCheck, JudgeCheck, PythonCheck, RemoteCheck
from reward_server.errors import CommandError
from reward_server.grading.reading import BUILT_IN_CHECKS

NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


class BadCheck(CommandError, ValueError):
    """A table of `[checks]` is wrong: which one, and why."""


def read_checks(table: object, folder: Path, *, request_timeout_s: float) -> dict[str, AnyCheck]:
    """The checks by their names; `folder` is that of the file. Raises BadCheck."""
    if not isinstance(table, Mapping):
        raise BadCheck('[checks]: expected a table a check, such as [checks.mine] with python = "my_checks:mine"')
    return {name: _check(name, one, folder, request_timeout_s) for name, one in table.items()}


def _check(name: str, table: object, folder: Path, request_timeout_s: float) -> AnyCheck:
    where = f"[checks.{name}]"
    if name in BUILT_IN_CHECKS:
        raise BadCheck(f"{where}: {name} is a check of the server's own; choose another name")
    if not NAME.fullmatch(name):
        raise BadCheck(f"{where}: a check needs a name of a-z, 0-9, - and _")
    if not isinstance(table, dict):
        raise BadCheck(f"{where}: expected a table, with python or url in it")
    try:
        kind = _kind(table)
        more = {"folder": folder} if kind is JudgeCheck else {}
        if own := sorted({"name", *more} & table.keys()):
            raise ValueError(f"{own[0]}: no such key")
        check = kind.model_validate({**table, "name": name, **more})
    except ValidationError as error:
        raise BadCheck(f"{where}: {_explained(error)}") from None
    except ValueError as error:
        raise BadCheck(f"{where}: {error}") from None
    if isinstance(check, RemoteCheck):
        _refuse_long_waits(where, check, request_timeout_s)
    return check


def _refuse_long_waits(where: str, check: RemoteCheck, request_timeout_s: float) -> None:
    for key, seconds in (("timeout_s", check.timeout_s), ("reference_timeout_s", check.opinion_limit_s)):
        if seconds >= request_timeout_s:
            raise BadCheck(
                f"{where}: {key} = {seconds:g} is no less than a whole request may take"
                f" (request_timeout_s = {request_timeout_s:g})"
            )


def _kind(table: dict[str, object]) -> type[AnyCheck]:
    if ("python" in table) == ("url" in table):
        raise ValueError('expected either python = "module:function" or url = "http://…"')
    if "python" in table:
        return PythonCheck
    return JudgeCheck if {"model", "prompt", "scores"} & set(table) else GraderCheck


def _explained(error: ValidationError) -> str:
    """The first thing wrong, in words."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(map(str, first["loc"]))
    if first["type"] == "extra_forbidden":
        return f"{place}: no such key"
    if first["type"] == "missing":
        return f"{place} is missing (a judge has url, model, prompt and scores)"
    message = first["msg"].removeprefix("Value error, ")
    return f"{place}: {message}" if place else message
