"""The view *Compare*: what rows were paid, beside what a replay pays them.

`reward-server replay FOLDER … -o FOLDER/NAME.jsonl` writes each row as it is paid now, with `was` beside it: the fields
that are others. The files that lie directly in the record's folder are offered.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from reward_server.records.files import FILE
from reward_server.view import labels
from reward_server.view.batch import bin_of
from reward_server.view.facts import number
from reward_server.view.index import ROWS_AT_ONCE, Index
from reward_server.view.lines import head_of
from reward_server.view.listing import PAGE_ROWS, by_number

Scores = dict[tuple[int, int, int], list[float]]
"""Rows and the sum of their scores, by run, bin of the score, and whether the replay finds them right."""
CHANGES = {"more": "paid more", "less": "paid less", "same": "paid the same", "none": "a null, then or now"}


Parts = dict[str, float | None]


class _Was(msgspec.Struct):
    parts: Parts | msgspec.UnsetType = msgspec.UNSET
    outcome: str | msgspec.UnsetType = msgspec.UNSET
    paid: float | msgspec.UnsetType | None = msgspec.UNSET


class _Line(msgspec.Struct):
    id: str
    run: str
    outcome: str
    was: _Was
    parts: Parts
    paid: float | None = None
    not_paid: str | None = None


@dataclass(frozen=True, slots=True)
class Side:
    """One sample on both sides: outcomes and rewards. `n`: None where it is not in this record."""

    n: int | None
    old_outcome: str
    outcome: str
    old: float | None
    paid: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Of a run and a file. `cells`: rows by (old outcome, new outcome). `changes`: rows by CHANGES."""

    rows: int
    old_mean: float | None
    mean: float | None
    outcomes: list[str]
    cells: dict[tuple[str, str], int]
    changes: dict[str, int]


def replay_files(folder: Path) -> list[str]:
    """The names of files that may be a replay's output."""
    names = (path.name for path in folder.glob("*.jsonl"))
    return sorted(name for name in names if name != labels.NAME and not FILE.fullmatch(name))


def first_with(index: Index, names: list[str], run: int) -> str:
    """The first of the files that has rows of a run; empty where none has."""
    for name in names:
        where = "file = ? AND run = ?"
        if index.query(f"SELECT 1 FROM replayed WHERE {where} LIMIT 1", refresh(index, name), run):
            return name
    return ""


def refresh(index: Index, name: str) -> int:
    """Reads what is new in a file of the record's folder; returns its number. Raises OSError."""
    path = index.folder / name
    head = head_of(path)  # an output that was made anew may well get the inode of the old one
    found = index.query("SELECT file, head, done FROM replays WHERE path = ?", name)
    if found and (found[0][1] != head or path.stat().st_size < found[0][2]):
        index.query("DELETE FROM replayed WHERE file = ?", found[0][0])
        index.query("DELETE FROM replay_scores WHERE file = ?", found[0][0])
        index.query("DELETE FROM replays WHERE file = ?", found[0][0])
        found = []
    if not found:
        index.query("INSERT INTO replays(path, head, done) VALUES(?, ?, 0)", name, head)
        found = index.query("SELECT file, head, done FROM replays WHERE path = ?", name)
    ((file, _, done),) = found
    rows: list[tuple[object, ...]] = []
    scores: Scores = {}
    for end, line in _lines(path, done):
        if line is not None:
            rows.append((file, *_values(index, line)))
            _add_score(scores, index, line)
        if len(rows) == ROWS_AT_ONCE:
            _write(index, file, end, rows, scores)
            rows, scores = [], {}
        done = end
    _write(index, file, done, rows, scores)
    return int(file)


def compared(index: Index, file: int, run: int) -> Comparison:
    """The table of a replay."""
    names = index.names("outcome")
    where = "file = ? AND run = ?"
    found = index.query(
        f"SELECT old_outcome, outcome, count(*) FROM replayed WHERE {where} GROUP BY old_outcome, outcome", file, run
    )
    ((rows, old_mean, mean),) = index.query(
        f"SELECT count(*), avg(old), avg(paid) FROM replayed WHERE {where}", file, run
    )
    changes = index.query(f"SELECT change, count(*) FROM replayed WHERE {where} GROUP BY change", file, run)
    cells = {(names[old], names[new]): count for old, new, count in found}
    there = {name for pair in cells for name in pair}
    outcomes = [name for name in names.values() if name in there]
    return Comparison(rows, old_mean, mean, outcomes, cells, dict(changes))


def sides(index: Index, file: int, run: int, *, old: str, new: str, change: str, after: int) -> list[tuple[int, Side]]:
    """Up to a page and one of the rows of a cell, each with its place in the file."""
    names = index.names("outcome")
    wanted = {name: place for place, name in names.items()}
    terms: list[tuple[str, object]] = [("file = ?", file), ("run = ?", run), ("rowid > ?", after)]
    terms += [("old_outcome = ?", wanted.get(old, -1))] if old else []
    terms += [("outcome = ?", wanted.get(new, -1))] if new else []
    terms += [("change = ?", change)] if change else []
    found = index.query(
        "SELECT rowid, sample, old_outcome, outcome, old, paid FROM replayed WHERE "
        + " AND ".join(term for term, _ in terms)
        + f" ORDER BY rowid LIMIT {PAGE_ROWS + 1}",
        *(value for _, value in terms),
    )
    return [
        (place, Side(by_number(index, sample), names[before], names[now], old_paid, paid))
        for place, sample, before, now, old_paid, paid in found
    ]


def _lines(path: Path, start: int) -> Iterator[tuple[int, _Line | None]]:
    """Where each whole line ends, and what it says; None of a line that no replay wrote."""
    decoder = msgspec.json.Decoder(_Line)
    with path.open("rb") as file:
        file.seek(start)
        for raw in file:
            if not raw.endswith(b"\n"):
                return
            start += len(raw)
            try:
                yield start, decoder.decode(raw)
            except (msgspec.MsgspecError, UnicodeError):
                yield start, None


def _values(index: Index, line: _Line) -> tuple[object, ...]:
    old_outcome = line.outcome if line.was.outcome is msgspec.UNSET else line.was.outcome
    old = line.paid if line.was.paid is msgspec.UNSET else line.was.paid
    change = (
        "none"
        if old is None or line.paid is None
        else ("less", "same", "more")[1 + (line.paid > old) - (line.paid < old)]
    )
    outcomes = (index.name("outcome", name or "not paid") for name in (old_outcome, line.outcome))
    return number(line.id), index.name("run", line.run), *outcomes, old, line.paid, change


def _add_score(scores: Scores, index: Index, line: _Line) -> None:
    """Where a model's score was recorded and the replay says whether the answer is right."""
    old = line.was.parts
    score = None if old is msgspec.UNSET or "calibrated" not in old else old.get("rm")
    clean = line.parts.get("clean")
    if score is not None and clean is not None:
        counts = scores.setdefault((index.name("run", line.run), bin_of(score), int(clean == 1)), [0, 0.0])
        counts[0] += 1
        counts[1] += score


def _write(index: Index, file: int, done: int, rows: list[tuple[object, ...]], scores: Scores) -> None:
    """All or nothing."""
    index.query("BEGIN")
    try:
        index.connection.executemany("INSERT INTO replayed VALUES(?, ?, ?, ?, ?, ?, ?, ?)", rows)
        index.connection.executemany(
            "INSERT INTO replay_scores VALUES(?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE"
            " SET rows = rows + excluded.rows, total = total + excluded.total",
            [(file, *key, *counts) for key, counts in scores.items()],
        )
        index.query("UPDATE replays SET done = ? WHERE file = ?", done, file)
        index.query("COMMIT")
    except BaseException:
        index.query("ROLLBACK")
        raise
