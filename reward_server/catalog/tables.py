"""What `rewards.toml` holds, read and checked as far as one table can be by itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import tomllib

from reward_server.checks.spec import AnyCheck
from reward_server.checks.table import BadCheck, read_checks
from reward_server.errors import CommandError
from reward_server.rewards.reasoning import PhraseList, load_phrases
from reward_server.rewards.table import REWARDS
from reward_server.settings import Settings

PACKAGED_LISTS = ("math", "open_ended")


class BadCatalog(CommandError, ValueError):
    """`rewards.toml` is wrong: which table, and why."""


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


def _read(path: Path | None) -> dict[str, object]:
    if path is None:
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
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
