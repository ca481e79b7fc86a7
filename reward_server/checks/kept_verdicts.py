"""A judge's verdicts on disk, so that a rerun pays the same without asking. Several replicas may share the folder.

    FOLDER/CHECK/HOST-PID-TIME.jsonl        {"key": "…", "outcome": "correct", "score": null, "reason": "…"}

CHECK is the digest of all that the judge is asked with. Each process appends to a file of its own, and reads what the
others have written before it asks. Of two verdicts of one key the one in the file whose name comes first counts, for
everybody who reads both. A line that was torn, or is none of ours, is passed over.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import time
from pathlib import Path
from threading import Lock

from reward_server.checks.question import Finding
from reward_server.errors import CommandError
from reward_server.types import Outcome

log = logging.getLogger(__name__)
KEPT = (Outcome.CORRECT, Outcome.PARTIAL, Outcome.INCORRECT)


class KeptVerdicts:
    """The verdicts of one check, in `folder`. Safe for several threads. Raises CommandError where it cannot be used."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = Lock()
        self._own = folder / f"{socket.gethostname()}-{os.getpid()}-{time.time_ns()}.jsonl"
        self._file: int | None = None
        self._known: dict[str, tuple[str, Finding]] = {}
        self._read: dict[str, int] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._refresh()
        except OSError as error:
            raise CommandError(f"verdicts cannot be kept in {folder}: {error}") from error
        if not os.access(folder, os.W_OK | os.X_OK):
            raise CommandError(f"verdicts cannot be kept in {folder}: it is not writable")

    def find(self, key: bytes) -> Finding | None:
        """The verdict that somebody has kept, up to now."""
        with self._lock:
            if key.hex() not in self._known:
                self._refresh()
            kept = self._known.get(key.hex())
        return None if kept is None else kept[1]

    def keep(self, key: bytes, finding: Finding) -> Finding:
        """The verdict that counts: another's where one was kept meanwhile, or else this one, which now is on disk."""
        with self._lock:
            self._refresh()
            kept = self._known.get(key.hex())
            if kept is not None:
                return kept[1]
            if finding.outcome in KEPT:
                self._append(key, finding)
                self._known[key.hex()] = (self._own.name, finding)
        return finding

    def close(self) -> None:
        """Ends the writing."""
        with self._lock:
            if self._file is not None:
                os.close(self._file)
                self._file = None

    def _append(self, key: bytes, finding: Finding) -> None:
        line = json.dumps({"key": key.hex(), **finding._asdict()}) + "\n"
        try:
            if self._file is None:
                self._file = os.open(self._own, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND, 0o666)
            os.write(self._file, line.encode())
        except OSError as error:
            log.error("a verdict could not be kept in %s: %s; a rerun has to ask again", self._folder, error)

    def _refresh(self) -> None:
        """Reads what others have added."""
        for entry in sorted(os.scandir(self._folder), key=lambda entry: entry.name):
            is_other = entry.name.endswith(".jsonl") and entry.name != self._own.name
            if is_other and entry.stat().st_size > self._read.get(entry.name, 0):
                self._read_file(entry.name)

    def _read_file(self, name: str) -> None:
        with (self._folder / name).open("rb") as file:
            file.seek(self._read.get(name, 0))
            content = file.read()
        whole = content.rfind(b"\n") + 1
        self._read[name] = self._read.get(name, 0) + whole
        for line in content[:whole].splitlines():
            entry = _entry(line)
            if entry is not None:
                known = self._known.get(entry[0])
                if known is None or name < known[0]:
                    self._known[entry[0]] = (name, entry[1])


def _entry(line: bytes) -> tuple[str, Finding] | None:
    """What a line holds; None for one that is none of ours."""
    try:
        row = json.loads(line)
        outcome, score = Outcome(row["outcome"]), row["score"]
        is_right = outcome in KEPT and (outcome is Outcome.PARTIAL) == (score is not None)
        if not is_right or (score is not None and not 0 < float(score) < 1):
            return None
        return str(row["key"]), Finding(outcome, score, str(row["reason"]))
    except (ValueError, KeyError, TypeError):
        return None
