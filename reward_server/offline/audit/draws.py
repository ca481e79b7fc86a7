"""All fates of a record in a temporary file. The unit of noise is the draw, not the sample.

Samples that share a draw share its fate, so what counts is how many draws there were and how many of them turned a
score. Rates for a clean 0 and a clean 1 are apart: one draw may turn the one and not the other.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from reward_server.offline.audit.fates import Fate, fates_of
from reward_server.offline.replay.plans import Config, Resolve
from reward_server.offline.replay.recorded import Recorded

TABLES = """
create table draw (
    n integer, config integer, part text, question text, visit integer, step integer, request integer, time text,
    run text, is_train integer, u real, is_one integer, rate real,
    is_exposed integer, is_flipped integer, is_mislabelled integer
);
"""
_INSERT = f"insert into draw values ({','.join('?' * 16)})"
_CHUNK = re.compile(r"(?<=\A[0-9a-f]{16})-\d{1,6}\Z")
"""Our client sends a large batch in several requests, numbered behind one id."""
EXAMPLES = 10


@dataclass
class Broken:
    """Rows that are not what a hash says: how many, and where the first of them stand."""

    contradicted: int = 0
    foreign: int = 0

    def __post_init__(self) -> None:
        self.examples: list[str] = []

    def add(self, fate: Fate, where: str) -> None:
        """One row's fate."""
        self.contradicted += fate.is_contradicted
        self.foreign += fate.is_foreign
        if (fate.is_contradicted or fate.is_foreign) and len(self.examples) < EXAMPLES:
            self.examples.append(where)


class Draws:
    """Open its database by `spill(TABLES)`."""

    def __init__(self, sql: sqlite3.Connection) -> None:
        self._sql = sql
        self.configs: dict[Config, int] = {}
        self.broken: dict[tuple[int, str], Broken] = {}
        self.rows = 0

    def add(self, rows: Iterable[Recorded], resolve: Resolve) -> None:
        """The fates of some rows."""
        self._sql.executemany(_INSERT, [each for row in rows for each in self._values(row, resolve)])

    def _values(self, recorded: Recorded, resolve: Resolve) -> Iterator[tuple[object, ...]]:
        row = recorded.row
        self.rows += 1
        key = Config.of(row)
        for fate in fates_of(row, resolve(key).plan):
            config = self.configs.setdefault(key, len(self.configs))
            self.broken.setdefault((config, fate.part), Broken()).add(fate, recorded.where)
            yield (
                *(self.rows, config, fate.part, row.question or None, row.visit, row.step),
                *(request_key(row.request_id), row.time, row.run, row.flip),
                *(fate.draw, fate.is_one, fate.rate, fate.is_exposed, fate.is_flipped),
                fate.is_mislabelled,
            )

    def ask(self, query: str, *values: object) -> Iterator[tuple[Any, ...]]:
        """Rows of an SQL query."""
        return self._sql.execute(query, values)


def request_key(request_id: str) -> int | None:
    """What stands for a request, of all parts that the client sent it in."""
    if not request_id:
        return None
    text = _CHUNK.sub("", request_id).encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big", signed=True)
