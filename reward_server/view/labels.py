"""What a person says of the verifier: one line a judgement in `labels.jsonl`, beside the runs.

A line has what `reward-server calibrate` reads (`completion`, `prompt`, `correct`), and who wants to know how often the
verifier errs counts `verifier`. `by` is who says so: the user whose `view` it is. Of several lines that one person
wrote of a sample the last holds. Where persons differ, `agreed` says what counts.
"""

from __future__ import annotations

import getpass
import json
import os
import time
from pathlib import Path

from reward_server.kit.clock import utc
from reward_server.offline.audit.labelled import Opinions, agreed, note
from reward_server.records.row import Row

NAME = "labels.jsonl"
SAYS = ("right", "wrong")


class Labels:
    """Of one record."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self._person = _person()
        self._said: dict[str, str] = {}
        self._opinions: dict[str, Opinions] = {}
        self._done = 0

    def of(self, id: str) -> str:
        """`right`, `wrong`, or empty where whoever looks at the page has not said."""
        self._read()
        return self._said.get(id, "")

    def correct(self) -> dict[str, bool]:
        """By sample id: is the completion right, as people say?"""
        self._read()
        found = {id: agreed(opinions) for id, opinions in self._opinions.items()}
        return {id: correct for id, correct in found.items() if correct is not None}

    def add(self, row: Row, says: str, now: float | None = None) -> None:
        """Appends a line: the verifier is right or wrong of a sample, or, where it has none, the answer is. Said twice
        it is one line.

        Raises OSError, ValueError.
        """
        if says not in SAYS:
            raise ValueError("a label says right or wrong")
        if self.of(row.id) == says:
            return
        clean = row.parts.get("clean")
        label = {
            "id": row.id,
            "time": utc(time.time() if now is None else now),
            "verifier": None if clean is None else says,
            "correct": (clean in (1, None)) is (says == "right"),
            "by": self._person,
            **{name: getattr(row, name) for name in ("run", "config", "outcome", "answer", "prompt", "completion")},
        }
        line = json.dumps(label).encode() + b"\n"
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, line)
        finally:
            os.close(descriptor)

    def _read(self) -> None:
        if not self.path.exists() or self.path.stat().st_size <= self._done:
            return
        with self.path.open("rb") as file:
            file.seek(self._done)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self._done += len(line)
                self._take(line)

    def _take(self, line: bytes) -> None:
        try:
            label = json.loads(line)
            id, says, correct = label["id"], label["verifier"], label["correct"]
        except (ValueError, TypeError, KeyError):  # a line that somebody else wrote
            return
        if isinstance(id, str) and says in (*SAYS, None) and isinstance(correct, bool):
            person = str(label.get("by", ""))
            note(self._opinions.setdefault(id, {}), person, correct)
            if person in (self._person, ""):  # lines of older versions do not say whose they are
                self._said[id] = says or SAYS[not correct]


def _person() -> str:
    """The user's name; the number of one without a name, as in containers."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return str(os.getuid())
