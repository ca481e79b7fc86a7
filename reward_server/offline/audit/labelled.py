"""How often the verifier is wrong, by labels of some of the rows: `measuring/confusion.py` has the formulas.

A label is a line of JSON: `correct` (is the completion right? true, false, 1, 0, or null for "cannot say"), and which
row it is of: `id`, or `group` with `completion_digest` or `completion`. The page of `view` writes such lines, with who
says so in `by`. Of several labels that one person gave a row the last holds. Where persons differ the majority does,
and where there is none nobody can say. Of the rollouts of one visit of a question one is used: they share their fate,
and more of them would make the intervals too narrow. `measuring/choice.py` chooses it by a hash.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from reward_server.errors import CommandError
from reward_server.measuring.choice import chosen_text
from reward_server.measuring.confusion import Counts, Estimate, Interval, estimate, too_few
from reward_server.offline.replay.recorded import Recorded
from reward_server.records.row import Row, text_digest

TABLES = """
create table row (
    n integer primary key, time text, tier text, is_one integer, question text, visit integer, digest text,
    is_right integer
);
"""
WINDOWS = 5
CLEAN = "clean"
RATES = {
    "precision": "precision: of what is called right, how much is",
    "false_omission": "of what is called wrong, how much is right",
    "false_positive_prob": "ρ0: wrong answers that are called right",
    "false_negative_prob": "ρ1: right answers that are called wrong",
    "informativeness": "J = 1 - ρ0 - ρ1",
    "accuracy": "true accuracy",
}
Found = dict[str, Any]
OF_ONE_VERDICT = ("precision", "false_omission", "accuracy")


class BadLabel(CommandError, ValueError):
    """A line of the labels is wrong, or none of them is of these rows: which, and why."""


Opinions = dict[str, bool | None]
"""By person; those who do not say who they are are one."""


def note(opinions: Opinions, person: str, says: bool | None) -> None:
    """The last one of a person holds. One that nobody signed is of an older version, and gives way to any other."""
    if person:
        opinions.pop("", None)
    opinions[person] = says


def agreed(opinions: Opinions) -> bool | None:
    """What most of those who can say, say.

    >>> agreed({"ann": True, "bob": True, "eve": False}), agreed({"ann": True, "bob": False}), agreed({"ann": None})
    (True, None, None)
    """
    said = [opinion for opinion in opinions.values() if opinion is not None]
    return None if 2 * sum(said) == len(said) else 2 * sum(said) > len(said)


@dataclass
class Labels:
    """By id, and by group and digest of the completion: what each person said last. None: could not say."""

    by_id: dict[str, Opinions] = field(default_factory=dict)
    by_text: dict[tuple[str, str], Opinions] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Labels:
        """Raises BadLabel, OSError."""
        labels = cls()
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    labels._add(f"{path}:{number}", line)
        return labels

    def _add(self, where: str, line: bytes) -> None:
        try:
            row = json.loads(line)
            correct = row["correct"]
        except (ValueError, TypeError, KeyError):
            raise BadLabel(f"{where}: a label is a JSON object with `correct` (true, false or null)") from None
        if correct not in (True, False, None):
            raise BadLabel(f"{where}: correct: must be true, false or null")
        is_right = None if correct is None else bool(correct)
        digest = row.get("completion_digest") or ("completion" in row and text_digest(str(row["completion"])))
        person = str(row.get("by", ""))
        if isinstance(row.get("id"), str):
            note(self.by_id.setdefault(row["id"], {}), person, is_right)
        elif row.get("group") is not None and digest:
            note(self.by_text.setdefault((str(row["group"]), digest), {}), person, is_right)
        else:
            raise BadLabel(f"{where}: a label needs the `id` of its row, or `group` with `completion_digest`")

    def of(self, row: Row) -> tuple[bool, bool | None]:
        """Is there one, and what does it say?"""
        if row.id in self.by_id:
            return True, agreed(self.by_id[row.id])
        key = row.group or row.question, _digest(row)
        return key in self.by_text, agreed(self.by_text.get(key, {}))


class Labelled:
    """Verdicts of all rows, and labels of some. Open its database by `spill(TABLES)`."""

    def __init__(self, sql: sqlite3.Connection, labels: Labels) -> None:
        self._sql = sql
        self._labels = labels
        self.matched = self.undecided = self.rows = 0

    def add(self, rows: Iterable[Recorded]) -> None:
        """Training rows that the verifier graded."""
        self._sql.executemany("insert into row values (?, ?, ?, ?, ?, ?, ?, ?)", self._values(rows))

    def _values(self, rows: Iterable[Recorded]) -> Iterator[tuple[object, ...]]:
        for recorded in rows:
            row, clean = recorded.row, _clean(recorded.row)
            if clean is None or not row.flip:
                continue
            self.rows += 1
            is_labelled, is_right = self._labels.of(row)
            self.matched += is_labelled
            self.undecided += is_labelled and is_right is None
            digest = _digest(row) if is_right is not None else None
            yield self.rows, row.time, row.tier or "?", clean >= 0.5, row.question, row.visit or 0, digest, is_right

    def report(self) -> Found:
        """All numbers. Raises BadLabel where no label is of these rows."""
        if not self.matched:
            raise BadLabel("no label is of a training row of this record that the verifier graded: do the ids fit?")
        self._choose()
        overall = self._counts("1")
        windows = f"select *, ntile({WINDOWS}) over (order by time, n) as part from row"
        return {
            "rows": self.rows,
            "labelled": self.matched,
            "undecided": self.undecided,
            "used": sum(counts.audited for counts in overall.values()),
            "overall": _told(overall[1]),
            "tiers": {tier: _told(counts) for tier, counts in self._counts("tier").items()},
            "windows": [_told(counts) for _, counts in sorted(self._counts("part", f"({windows})").items())],
            "query": _query(overall[1]),
        }

    def _choose(self) -> None:
        """Of the labelled rollouts of one visit of a question one keeps its label."""
        several = "select question, visit from row where is_right is not null group by 1, 2 having count(*) > 1"
        for question, visit in self._sql.execute(several).fetchall():
            rows = self._sql.execute(
                "select n, digest from row where question = ? and visit = ? and is_right is not null", (question, visit)
            ).fetchall()
            chosen = chosen_text([digest for _, digest in rows], seed=0, group=question, visit=visit)
            kept = next(n for n, digest in rows if digest == chosen)
            others = [(n,) for n, _ in rows if n != kept]
            self._sql.executemany("update row set is_right = null where n = ?", others)

    def _counts(self, by: str, table: str = "row") -> dict[Any, Counts]:
        query = (
            f"select {by}, sum(is_one), sum(not is_one), sum(is_one and is_right is not null),"
            " sum(coalesce(is_one and is_right, 0)), sum(not is_one and is_right is not null),"
            f" sum(coalesce(not is_one and is_right, 0)) from {table} group by 1 order by 1"
        )
        return {key: Counts(*counts) for key, *counts in self._sql.execute(query)}


def _told(counts: Counts) -> Found:
    found = estimate(counts)
    rates = None if found is None else {name: value and asdict(value) for name, value in _intervals(found, counts)}
    return {"counts": asdict(counts), "rates": rates, "too_few": too_few(counts)}


def _intervals(found: Estimate, counts: Counts) -> Iterator[tuple[str, Interval | None]]:
    """Rows that all have one verdict, as those of a tier may, say nothing of the rates of errors."""
    has_both = counts.ones > 0 and counts.zeros > 0
    for name in RATES:
        yield name, getattr(found, name) if has_both or name in OF_ONE_VERDICT else None


def _query(counts: Counts) -> str | None:
    """To paste behind `flip?`: noise as large as the verifier's errors."""
    found = estimate(counts)
    if found is None:
        return None
    rates = found.false_positive_prob.value, found.false_negative_prob.value
    return "false_positive_prob={:.4g}&false_negative_prob={:.4g}".format(*rates)


def _clean(row: Row) -> float | None:
    """The verifier's score: the row's own, or of the first part of a mix that has one."""
    if CLEAN in row.parts:
        return row.parts[CLEAN]
    return next((value for name, value in row.parts.items() if name.endswith(f"/{CLEAN}")), None)


def _digest(row: Row) -> str:
    return row.completion_digest or text_digest(row.completion or "")
