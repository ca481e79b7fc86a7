"""What was paid and what is paid now, of any number of rows, in a temporary file: questions are asked in SQL.

A row takes some hundred bytes there, and none in memory.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reward_server.offline.replay.comparing import State
from reward_server.offline.replay.recorded import Recorded
from reward_server.offline.spill import spill
from reward_server.records.row import Row

_TABLES = """
create table row (
    n integer primary key, file integer, line integer, id text, run text, time text, step integer, visit integer,
    question text, configuration integer, is_train integer, state integer, old real, new real, old_outcome text,
    new_outcome text, has_old integer, why integer
);
create table place (n integer primary key, bucket integer, first_bucket integer, kinds integer);
"""
_INSERT = f"insert into row values ({','.join('?' * 18)})"
CHANGED = "(state in (1, 2) and old is not new)"
"""SQL: the reward is another, and for no reason that excuses it."""
EXAMPLES = 10


@dataclass(frozen=True, slots=True)
class Example:
    """One row behind a number."""

    where: str
    id: str
    question: str | None
    step: int | None
    visit: int | None
    old: float | None
    new: float | None
    old_outcome: str
    new_outcome: str


class Ledger:
    """Open it with `with ledger() as book`. Rows are added in their order."""

    def __init__(self, sql: sqlite3.Connection) -> None:
        self._sql = sql
        self._files: dict[Path, int] = {}
        self._whys: dict[str, int] = {}
        self._configs: dict[str, int] = {}
        self._rows = 0

    def add(self, compared: Iterable[tuple[Recorded, Row | None, State, str]]) -> None:
        """Old row, new row, what they are to each other, and why it is not the recorded configuration."""
        self._sql.executemany(_INSERT, [self._values(*each) for each in compared])

    def _values(self, recorded: Recorded, new: Row | None, state: State, why: str) -> tuple[object, ...]:
        row = recorded.row
        self._rows += 1
        return (
            self._rows,
            self._files.setdefault(recorded.file, len(self._files)),
            recorded.line,
            row.id,
            row.run,
            row.time,
            row.step,
            row.visit,
            row.question or None,
            self._configs.setdefault(row.config, len(self._configs)),
            row.flip,
            state,
            row.paid,
            None if new is None else new.paid,
            row.outcome,
            "" if new is None else new.outcome,
            recorded.is_paid,
            self._whys.setdefault(why, len(self._whys)),
        )

    def ask(self, query: str, *values: object) -> Iterator[tuple[Any, ...]]:
        """Rows of an SQL query."""
        return self._sql.execute(query, values)

    def place(self, rows: Iterable[tuple[int, int | None, int | None, int]]) -> None:
        """Of training rows: number, bucket, that of their group's first row, and the bits of what their group shows."""
        self._sql.executemany("insert into place values (?, ?, ?, ?)", rows)

    def training(self, per: int) -> str:
        """SQL: the training rows that have a reward, with `arrival`, their place in their run, and `bucket`: the step,
        or where a run has none, `per` rows in the order of arrival."""
        ((without_step,),) = self.ask("select exists(select 1 from row where is_train and step is null)")
        arrival = "row_number() over (partition by run order by time, n) - 1" if without_step else "n"
        bucket = f"case when run in (select run from row where step is not null) then step else arrival / {per} end"
        rows = f"select *, {arrival} as arrival from row where is_train and {self.comparable()}"
        return f"select *, {bucket} as bucket from ({rows})"

    def comparable(self) -> str:
        """SQL: rows with both rewards. Where none says what it was paid, all that are paid now."""
        ((is_known,),) = self.ask("select exists(select 1 from row where state not in (6, 7))")
        return "state not in (6, 7)" if is_known else "state != 6"

    def why(self, number: int) -> str:
        """The reason of that number."""
        return list(self._whys)[number]

    def examples(self, where: str, *values: object, most: int = EXAMPLES) -> Iterator[Example]:
        """Rows for which an SQL condition holds, in their order; `most` -1: all."""
        files = list(self._files)
        columns = "file, line, id, question, step, visit, old, new, old_outcome, new_outcome"
        for file, line, *rest in self.ask(f"select {columns} from row where {where} order by n limit ?", *values, most):
            yield Example(f"{files[file]}:{line}", *rest)


@contextmanager
def ledger() -> Iterator[Ledger]:
    """A ledger whose file is removed at exit."""
    with spill(_TABLES) as sql:
        yield Ledger(sql)
