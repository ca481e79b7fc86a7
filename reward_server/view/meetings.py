"""Did questions come back with new visits? As the audit counts it, kept up to date while the record is read.

One thing is not known here: a request that was cut in two by the end of a reading, with a single row on one side of the
cut, counts as one that holds a single row.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from sqlite3 import Connection

import msgspec

from reward_server.offline.audit.freshness import Freshness, Meetings
from reward_server.view.facts import Facts
from reward_server.view.sums import GAP_ROWS, Key

Question = tuple[int, int, int]
"""Run, configuration, question."""


class Met:
    """The training rows of a batch that noise was drawn for, by question."""

    def __init__(self) -> None:
        self._rows: defaultdict[Question, list[tuple[int, int | None, int | None, int]]] = defaultdict(list)
        self._requests: Counter[int | None] = Counter()
        self._visits: set[tuple[int, int, int]] = set()

    def add(self, key: Key, facts: Facts, arrival: int) -> None:
        """One row, the `arrival`th of its reward."""
        if not (facts.is_train and facts.has_draw):
            return
        run, config, _, _ = key
        visit = facts.visit or 0
        rows = self._rows[run, config, facts.question]
        if facts.step is None:
            self._requests[facts.request] += 1
        elif rows and rows[-1][:2] == (visit, facts.step):  # says nothing more
            return
        rows.append((visit, facts.step, facts.request, arrival + 1))
        if facts.visit is not None:
            self._visits.add((run, config, visit))

    def write(self, connection: Connection) -> None:
        """Adds them to the index."""
        connection.executemany("INSERT OR IGNORE INTO visits VALUES(?, ?, ?)", self._visits)
        connection.executemany(
            "INSERT OR REPLACE INTO met VALUES(?, ?, ?, ?, ?, ?)",
            (self._values(connection, question) for question in self._rows),
        )

    def _values(self, connection: Connection, question: Question) -> tuple[object, ...]:
        where = "run = ? AND config = ? AND question = ?"
        found = connection.execute(f"SELECT state FROM met WHERE {where}", question).fetchone()
        met = msgspec.msgpack.decode(found[0], type=Meetings) if found else Meetings()
        for visit, step, request, arrival in self._rows[question]:
            met.add(visit, step, request, self._requests[request], arrival, GAP_ROWS)
        return (*question, met.returns, met.old_returns, msgspec.msgpack.encode(met))


def freshness(connection: Connection, run: int, config: int) -> Freshness | None:
    """Of the training rows of one configuration in a run; None where it has no noise."""
    where = "WHERE run = ? AND config = ?"
    questions, *counts = connection.execute(
        "SELECT count(*), total(returns > 0), total(old_returns > 0), total(returns), total(old_returns)"
        f" FROM met {where}",
        (run, config),
    ).fetchone()
    ends = "coalesce(min(visit), 0), coalesce(max(visit), 0)"
    visits = connection.execute(f"SELECT count(*), {ends} FROM visits {where}", (run, config))
    return Freshness(questions, *map(int, counts), *visits.fetchone()) if questions else None
