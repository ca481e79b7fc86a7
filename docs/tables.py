"""The tables of these pages that are made from declarations: settings, errors, parameters of the rewards, metrics.

    make reference        # or: .venv/bin/python docs/tables.py

writes each between its marks, `<!-- table: NAME -->` and `<!-- end -->`. `tests/test_docs_tables.py` fails where a page
says something else than the declarations.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from reward_server.counting.metrics import GAUGES, Metrics
from reward_server.counting.sample_counts import LABELS
from reward_server.errors import RewardServerError, Unavailable
from reward_server.kit.counters import Family
from reward_server.measuring.report import LEGEND
from reward_server.rewards.reward import AnyReward
from reward_server.rewards.table import REWARDS
from reward_server.settings import Settings

PAGES = [
    Path(__file__).with_name(name) for name in ("reference.md", "rewards.md", "compose.md", "metrics.md", "noise.md")
]
MARKED = re.compile(r"(<!-- table: (.+?) -->\n).*?(<!-- end -->)", re.DOTALL)
MODEL = "rm_"
"""What the names of the reward model's settings begin with."""
COMPUTED = {"verifier_workers": "cores + 1"}
"""Defaults that depend on the machine."""
KINDS = {"number": "number", "integer": "integer", "boolean": "`true`, `false`", "array": "texts", "path": "path"}
"""What the types of a JSON schema are called; any other is a text."""


def written(page: str) -> str:
    """The page with every marked table as the declarations have it. Raises KeyError for a mark of no table."""
    made = tables()
    return MARKED.sub(lambda found: f"{found[1]}{made[found[2]]}{found[3]}", page)


def tables() -> dict[str, str]:
    """Each table, by the name in its mark."""
    settings = {
        kind: [name for name in Settings.model_fields if name.startswith(MODEL) is kind] for kind in (False, True)
    }
    return {
        "settings of the server": _fields("setting", Settings, settings[False]),
        "settings of the reward model": _fields("setting", Settings, settings[True]),
        "errors": _errors(),
        "metrics of samples": _metrics(of_samples=True),
        "metrics of the server": _metrics(of_samples=False),
        "numbers of a measurement": _table(
            ("number", "meaning"), ((f"`{name}`", text) for name, text in LEGEND.items())
        ),
        **{f"parameters of {name}": _fields("parameter", kind, _own_first(kind)) for name, kind in REWARDS.items()},
    }


def _own_first(reward: type[AnyReward]) -> list[str]:
    """The names of the reward's own parameters, then of those of the reward that it is built on, then of all others."""
    names = [name for kind in reward.__mro__ for name in kind.__dict__.get("__annotations__", ())]
    return [name for name in dict.fromkeys(names) if name in reward.model_fields]


def _fields(head: str, model: type[BaseModel], names: Iterable[str]) -> str:
    schemas = model.model_json_schema()["properties"]
    rows = (
        (
            f"`{name}`",
            _default(name, model.model_fields[name].default),
            _values(schemas[name]),
            model.model_fields[name].description or "",
        )
        for name in names
    )
    return _table((head, "default", "values", "meaning"), rows)


def _default(name: str, value: object) -> str:
    if name in COMPUTED:
        return COMPUTED[name]
    if value in (None, ()):
        return ""
    text = str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)
    return f"`{text}`"


def _values(schema: Mapping[str, Any]) -> str:
    """The choices or the range, in words; of several types the first."""
    schema = next(each for each in schema.get("anyOf", [schema]) if each.get("type") != "null")
    schema = schema.get("oneOf", [schema])[0]
    if "examples" in schema:
        return "".join(f"`{value}`, " for value in schema["examples"]) + "…"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    low, above, high = (schema.get(key) for key in ("minimum", "exclusiveMinimum", "maximum"))
    if low is not None and high is not None:
        return f"{low:g} … {high:g}"
    if schema.get("items", {}).get("type") == "number":
        return "numbers"
    kind = KINDS.get(schema.get("format", schema["type"]), "text")
    return f"{kind} ≥ {low:g}" if low is not None else f"{kind} > {above:g}" if above is not None else kind


def _errors() -> str:
    kinds = sorted(_below(RewardServerError), key=lambda kind: (kind.status, kind.code))
    rows = (
        (str(int(kind.status)), f"`{kind.code}`", "yes" if issubclass(kind, Unavailable) else "no", _meaning(kind))
        for kind in kinds
        if kind.__module__ == RewardServerError.__module__
    )
    return _table(("status", "code", "`Retry-After`", "meaning, and what to do"), rows)


def _metrics(*, of_samples: bool) -> str:
    """Those of ours with the labels of samples, or all others."""
    registered = Metrics().registry._collector_to_names  # the registry has no other list
    described = [each.described() for each in registered if isinstance(each, Family)]
    described += [(name, "gauge", (), meaning) for name, meaning in GAUGES.items()]
    rows = [
        (
            f"`{name}`",
            kind,
            ", ".join(f"`{label}`" for label in labels if not of_samples or label not in LABELS),
            meaning,
        )
        for name, kind, labels, meaning in described
        if set(LABELS).issubset(labels) is of_samples
    ]
    return _table(("metric", "kind", "further labels" if of_samples else "labels", "what it counts"), rows)


def _below(root: type[RewardServerError]) -> Iterator[type[RewardServerError]]:
    for kind in root.__subclasses__():
        yield kind
        yield from _below(kind)


def _meaning(kind: type[RewardServerError]) -> str:
    """The first paragraph of the docstring, on one line."""
    return " ".join((kind.__doc__ or "").partition("\n\n")[0].split())


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(written(page.read_text(encoding="utf-8")), encoding="utf-8")
