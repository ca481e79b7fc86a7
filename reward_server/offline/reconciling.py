"""`reward-server reconcile`: was every row paid as `reward-server noise` had predicted?

Compared are draw, threshold, and whether what was paid was turned, as the reward itself shows it. Evaluation rows, and
rows that noise could not turn, have nothing to compare but their draw.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from reward_server.errors import CommandError
from reward_server.offline.audit.fates import Fate, fates_of, flips_of
from reward_server.offline.predicting import form_of
from reward_server.offline.replay.plans import Config, Resolve
from reward_server.offline.replay.recorded import Recorded
from reward_server.records.row import Row, text_digest
from reward_server.rewards.flip import FlipReward
from reward_server.rewards.noise import group_of_prompt

TABLES = """
create table told (key text, is_met integer default 0, line text);
create unique index of_key on told (key);
"""
KINDS = {
    "draw": "another draw was made",
    "rate": "another rate was set",
    "paid": "what was paid was turned otherwise",
    "label": "the label was made wrong otherwise",
}
EXAMPLES = 10
Found = dict[str, Any]


class BadPrediction(CommandError, ValueError):
    """A line is no prediction of `reward-server noise`: which."""


class Reconciliation:
    """Open its database by `spill(TABLES)`. Counts rows: predicted, unpredicted, without noise, and differences."""

    def __init__(self, sql: sqlite3.Connection, resolve: Resolve) -> None:
        self._sql = sql
        self._resolve = resolve
        self._counts: Counter[str] = Counter()
        self._examples: dict[str, list[str]] = {}

    def read(self, predictions: Path) -> None:
        """Raises BadPrediction, OSError."""
        with predictions.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    try:
                        told = json.loads(line)
                        key = _key(str(told["group"]), told.get("visit"), told.get("answer"), told.get("part", ""))
                        _ = told["draw"], told["flipped_if_1"], told["threshold_if_1"]
                    except (ValueError, TypeError, KeyError, AttributeError):
                        raise BadPrediction(f"{predictions}:{number}: no line of `reward-server noise`") from None
                    self._sql.execute("insert or ignore into told (key, line) values (?, ?)", (key, line))

    def add(self, rows: Iterable[Recorded]) -> None:
        """Compares some rows."""
        for each in rows:
            self._counts["rows"] += 1
            plan = self._resolve(Config.of(each.row)).plan
            flips = dict(flips_of(plan, each.row.source))
            fates = list(fates_of(each.row, plan)) if each.row.flip else []
            self._counts["without_noise"] += not fates
            for fate in fates:
                self._compare(each, fate, flips.get(fate.part))

    def _compare(self, recorded: Recorded, fate: Fate, flip: FlipReward | None) -> None:
        told = self._told(recorded.row, fate, flip)
        if told is None:
            self._counts["unpredicted"] += 1
            return
        self._counts["predicted"] += 1
        kinds = list(_differences(told, fate))
        self._counts["different"] += bool(kinds)
        for kind in kinds:
            self._counts[kind] += 1
            examples = self._examples.setdefault(kind, [])
            if len(examples) < EXAMPLES:
                examples.append(f"{recorded.where}  {recorded.row.id}")

    def _told(self, row: Row, fate: Fate, flip: FlipReward | None) -> Found | None:
        is_answer = flip is not None and flip.flip_scope == "answer"
        answer = form_of(row.answer or "", flip) if flip is not None and is_answer else None
        key = _key_of(row, None if is_answer else row.visit or 0, answer, fate.part)
        found = self._sql.execute("select line from told where key = ?", (key,)).fetchone()
        if found is None:
            return None
        self._sql.execute("update told set is_met = 1 where key = ?", (key,))
        line: Found = json.loads(found[0])
        return line

    def report(self) -> Found:
        """All numbers, and a sentence."""
        told, met = self._sql.execute("select count(*), coalesce(sum(is_met), 0) from told").fetchone()
        names = ("rows", "without_noise", "predicted", "unpredicted", "different", *KINDS)
        counts = {name: self._counts[name] for name in names}
        is_well = counts["predicted"] > 0 and not counts["different"]
        found = {**counts, "predictions": told, "predictions_met": met, "examples": self._examples, "is_well": is_well}
        return {"verdict": _sentence(found), **found}


def _sentence(found: Found) -> str:
    rest = f" {found['unpredicted']:,} rows were not predicted." if found["unpredicted"] else ""
    if not found["predicted"]:
        return f"no row was predicted: do groups and visits fit?{rest}"
    if not found["different"]:
        return f"{found['predicted']:,} of {found['predicted']:,} predicted rows were paid as predicted.{rest}"
    return f"{found['different']:,} of {found['predicted']:,} predicted rows were NOT paid as predicted.{rest}"


def text(found: Found) -> str:
    """The sentence, and the rows behind it."""
    lines = [
        found["verdict"],
        f"{found['predictions_met']:,} of {found['predictions']:,} predictions were met; {found['without_noise']:,} of"
        f" {found['rows']:,} rows have no noise (evaluation, or another reward)",
    ]
    for kind, examples in found["examples"].items():
        lines += [
            "",
            f"{KINDS[kind]}: {found[kind]:,} rows, the first {len(examples)}:",
            *(f"  {each}" for each in examples),
        ]
    return "\n".join(lines)


def _differences(told: Found, fate: Fate) -> Iterable[str]:
    if told["draw"] != fate.draw:
        yield "draw"
    clean = int(bool(fate.is_one))
    if fate.rate is not None and told.get(f"threshold_if_{clean}") not in (None, fate.rate):
        yield "rate"
    predicted = told.get(f"flipped_if_{clean}")
    if fate.is_contradicted or (fate.is_flipped is not None and predicted not in (None, fate.is_flipped)):
        yield "paid"
    if "wrong_label" in told and fate.is_mislabelled not in (None, told["wrong_label"]):
        yield "label"


def _key_of(row: Row, visit: int | None, answer: str | None, part: str) -> str:
    """Of a row with its texts, or with their digests."""
    if row.group is not None:
        return _key(row.group, visit, answer, part)
    if row.prompt is not None:
        return _key(group_of_prompt(row.prompt), visit, answer, part)
    return _joined(row.group_digest or row.prompt_digest or "", visit, answer, part)


def _key(group: str, visit: int | None, answer: str | None, part: str) -> str:
    return _joined(text_digest(group), visit, answer, part)


def _joined(digest: str, visit: int | None, answer: str | None, part: str) -> str:
    return json.dumps([digest, visit, answer, part])
