"""A receipt: one digest over what was paid for what, the same in any order and after any retry.

    entry   = "digest of the sample" NUL step NUL config NUL reward          as text, null where there is none
    receipt = blake2b of the sorted, distinct blake2b-256 digests of the entries

The digest of the sample covers all of it that can change what it is paid: `records/row.py` says how. So a row that was
paid twice, since its request was repeated, counts once. Where one sample was paid two rewards both are in, and that is
said. docs/replay.md has ten lines of Python that derive a receipt from a record.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b

from reward_server.offline.spill import spill
from reward_server.records.row import Row, sample_digest

_BYTES = 32


@dataclass(frozen=True, slots=True)
class Summary:
    """`contradicted`: samples that were paid more than one reward."""

    receipt: str
    samples: int
    contradicted: int


class Receipt:
    """Collects rows."""

    def __init__(self, sql: sqlite3.Connection) -> None:
        self._sql = sql

    def add(self, rows: Iterable[Row]) -> None:
        """Rows as they were paid, or are now."""
        self._sql.executemany("insert into e values (?, ?)", map(_digests, rows))

    def summary(self) -> Summary:
        """Of all rows so far."""
        digest = blake2b(digest_size=_BYTES)
        for (entry,) in self._sql.execute("select distinct entry from e order by entry"):
            digest.update(entry)
        by_sample = "select count(distinct entry) as rewards from e group by sample"
        (found,) = self._sql.execute(f"select count(*), coalesce(sum(rewards > 1), 0) from ({by_sample})")
        return Summary(digest.hexdigest(), *found)


@dataclass(frozen=True, slots=True)
class Receipts:
    """Of what was paid, and of what is paid now."""

    was: Receipt
    now: Receipt


@contextmanager
def receipts() -> Iterator[Receipts]:
    """Both, whose files are removed at exit."""
    table = "create table e (sample blob, entry blob);"
    with spill(table) as was, spill(table) as now:
        yield Receipts(Receipt(was), Receipt(now))


def _digests(row: Row) -> tuple[bytes, bytes]:
    sample = "\0".join((row.digest or sample_digest(row.sample), json.dumps(row.step), row.config))
    return _digest(sample), _digest(f"{sample}\0{json.dumps(row.paid)}")


def _digest(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_BYTES).digest()
