"""Samples of a filter, one page of them, and the neighbours of one: the index says which, the record what they are."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from reward_server.records.files import Place, row_at
from reward_server.records.row import Row
from reward_server.records.text import BadLine
from reward_server.view.curves import Axis
from reward_server.view.facts import number
from reward_server.view.filters import Condition, Filter, condition
from reward_server.view.index import Index

PAGE_ROWS = 50
MOST_COUNTED = 10_000
SEARCH_S = 2.0
"""So long a page looks for a text; then it shows what it found, and a link goes on."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One sample. `row`: None where its file is gone, or its line unreadable."""

    n: int
    rank: float
    row: Row | None


@dataclass(frozen=True, slots=True)
class Page:
    """`total`: rows in all, at most `MOST_COUNTED` + 1 of them counted; None of a text that is looked for.

    `after`: the (rank, n) from which the next page goes on; None at the end. `searched`: rows looked through.
    """

    samples: list[Listed]
    total: int | None
    after: tuple[float, int] | None
    searched: int = 0


def page(index: Index, filter: Filter, axis: Axis | None, after: tuple[float, int] | None) -> Page:
    """The samples behind `after`, in the filter's order."""
    found = condition(index, filter, axis)
    if filter.text:
        return _searched(index, found, filter.text, after)
    rows = _keys(index, found, after, PAGE_ROWS + 1)
    shown = [Listed(n, rank, read(index, n)) for rank, n in rows[:PAGE_ROWS]]
    total = index.query(
        f"SELECT count(*) FROM (SELECT 1 FROM {found.tables} WHERE {found.where} LIMIT {MOST_COUNTED + 1})",
        *found.values,
    )
    return Page(shown, int(total[0][0]), _last(shown) if len(rows) > PAGE_ROWS else None)


def neighbour(
    index: Index, filter: Filter, axis: Axis | None, at: tuple[float, int], *, before: bool = False
) -> tuple[float, int] | None:
    """The (rank, n) of the sample behind, or before, the one at a place in the filter's order."""
    found = condition(index, filter, axis)
    while rows := _keys(index, found, at, 1, before=before):
        at = rows[0]
        if not filter.text or _holds(read(index, at[1]), filter.text):
            return at
    return None


def by_id(index: Index, id: str) -> int | None:
    """The number of the sample of that id; of several of one id the last."""
    return by_number(index, number(id))


def by_number(index: Index, id: int) -> int | None:
    """The same by what stands for the id in the index."""
    ((n,),) = index.query("SELECT max(n) FROM samples WHERE id = ?", id)
    return None if n is None else int(n)


def rank_of(index: Index, filter: Filter, axis: Axis | None, n: int) -> float | None:
    """Where a sample stands in a filter's order; None where the filter leaves it out."""
    found = condition(index, filter, axis)
    rows = index.query(f"SELECT {found.rank} FROM {found.tables} WHERE {found.where} AND n = ?", *found.values, n)
    return float(rows[0][0]) if rows else None


def newest(index: Index, run: int, config: int) -> Row | None:
    """The last training row that was paid under a configuration."""
    where = "run = ? AND config = ? AND train = 1"
    found = index.query(f"SELECT n FROM samples WHERE {where} ORDER BY n DESC LIMIT 1", run, config)
    return read(index, found[0][0]) if found else None


def read(index: Index, n: int) -> Row | None:
    """The row of a sample, from its file."""
    file, offset = place_of(index, n)
    try:
        return row_at(Place(file, offset))
    except (OSError, BadLine):
        return None


def place_of(index: Index, n: int) -> tuple[Path, int]:
    """The file of a sample, and where its line begins in it."""
    ((file, offset),) = index.query("SELECT file, offset FROM samples WHERE n = ?", n)
    return index.file_of(file), int(offset)


def _keys(
    index: Index, found: Condition, after: tuple[float, int] | None, most: int, *, before: bool = False
) -> list[tuple[float, int]]:
    sign, way = ("<", "DESC") if before else (">", "ASC")
    bound, order = f" AND ({found.rank}, n) {sign} (?, ?)", f"{found.rank} {way}, n {way}"
    values: tuple[object, ...] = after or ()
    if found.rank == "0":  # so that the index by n is used
        bound, order, values = f" AND n {sign} ?", f"n {way}", values[1:]
    if after is None:
        bound = ""
    return index.query(
        f"SELECT {found.rank}, n FROM {found.tables} WHERE {found.where}{bound} ORDER BY {order} LIMIT {most}",
        *(*found.values, *values),
    )


def _searched(index: Index, found: Condition, text: str, after: tuple[float, int] | None) -> Page:
    shown: list[Listed] = []
    looked, end = 0, time.monotonic() + SEARCH_S
    while rows := _keys(index, found, after, 500):
        for rank, n in rows:
            looked, after = looked + 1, (rank, n)
            row = read(index, n)
            if _holds(row, text):
                shown.append(Listed(n, rank, row))
            if len(shown) == PAGE_ROWS or time.monotonic() > end:
                return Page(shown, None, after, looked)
    return Page(shown, None, None, looked)


def _holds(row: Row | None, text: str) -> bool:
    return row is not None and text in (row.completion or row.answer or "")


def _last(shown: list[Listed]) -> tuple[float, int]:
    return shown[-1].rank, shown[-1].n
