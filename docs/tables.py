"""The tables of the documentation that declarations make: parameters, settings, errors.

    python docs/tables.py        # writes them into the pages, between the marks `<!-- table: … -->` and `<!-- end -->`

A page that differs fails `tests/test_docs_tables.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from reward_server.errors import RewardServerError, Unavailable
from reward_server.rewards.reward import Reward
from reward_server.rewards.table import REWARDS
from reward_server.settings import PREFIX, Settings

PAGES = [Path(__file__).with_name(name) for name in ("reference.md", "rewards.md")]
MARKED = re.compile(r"(<!-- table: (.+?) -->\n).*?(<!-- end -->)", re.DOTALL)


def written(text: str) -> str:
    """The page with every marked table as the declarations have it. Raises KeyError for a mark of no table."""
    made = tables()
    return MARKED.sub(lambda found: f"{found[1]}{made[found[2]]}{found[3]}", text)


def tables() -> dict[str, str]:
    """Each table by the name of its mark."""
    common = set(Reward.model_fields)
    parameters = {f"parameters of {name}": _parameters(kind, common) for name, kind in REWARDS.items()}
    shared = _table(
        ("parameter", "default", "values", "meaning"), (_parameter(*each) for each in Reward.model_fields.items())
    )
    return parameters | {"parameters of all": shared, "settings": _settings(), "errors": _errors()}


def _parameters(kind: type[Reward], common: set[str]) -> str:
    """What the reward has beside the common ones, or with another default."""
    own = {
        name: field
        for name, field in kind.model_fields.items()
        if name not in common or field.default != Reward.model_fields[name].default
    }
    return _table(("parameter", "default", "values", "meaning"), (_parameter(*each) for each in own.items()))


def _parameter(name: str, field: FieldInfo) -> tuple[str, ...]:
    return f"`{name}`", _default(field), _values(field), field.description or ""


def _values(field: FieldInfo) -> str:
    """The range or the choices, read off the JSON schema."""
    from pydantic import create_model

    made: Any = (field.annotation, field)
    schema = create_model("One", one=made).model_json_schema()["properties"]["one"]
    options = [each for each in schema.get("anyOf", [schema]) if each.get("type") != "null"]
    one = options[0]
    if "enum" in one:
        return ", ".join(f"`{value}`" for value in one["enum"])
    low = one.get("minimum", one.get("exclusiveMinimum"))
    sign = ">" if "exclusiveMinimum" in one else "≥"
    if low is not None and "maximum" in one:
        return f"{low:g} … {one['maximum']:g}"
    kinds = {"number": "a number", "integer": "a whole number", "boolean": "`true`, `false`", "string": "a text"}
    return kinds[one["type"]] + (f" {sign} {low:g}" if low is not None else "")


def _default(field: FieldInfo) -> str:
    if field.default_factory is not None:
        return "`cores + 1`"
    value = field.default
    if value in (None, ()):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _settings() -> str:
    rows = (
        (f"`{name}`", _default(field), f"`{PREFIX}{name.upper()}`", field.description or "")
        for name, field in Settings.model_fields.items()
    )
    return _table(("setting", "default", "variable", "meaning"), rows)


def _errors() -> str:
    rows = sorted((int(kind.status), kind.code, kind) for kind in _all_errors(RewardServerError))
    return _table(
        ("status", "code", "worth a retry", "meaning"),
        (
            (
                str(status),
                f"`{code}`",
                "yes, after `Retry-After`" if issubclass(kind, Unavailable) else "no",
                _said(kind),
            )
            for status, code, kind in rows
        ),
    )


def _all_errors(root: type[RewardServerError]) -> Iterator[type[RewardServerError]]:
    for kind in root.__subclasses__():
        yield kind
        yield from _all_errors(kind)


def _said(kind: type[RewardServerError]) -> str:
    return (kind.__doc__ or "").strip().partition("\n\n")[0].replace("\n    ", " ")


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]] | Any) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(written(page.read_text(encoding="utf-8")), encoding="utf-8")
