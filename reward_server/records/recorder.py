"""Takes what was paid from the requests and writes it, in a thread of its own. No request waits for it or fails by it.

The queue between them is bounded. What does not fit, or cannot be written, is dropped: counted exactly, and said in the
log once a minute. Everything that was taken is `written + dropped`, and what is still in the queue.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from tempfile import TemporaryFile

from msgspec import Struct

from reward_server.errors import CommandError
from reward_server.records.row import DEFAULT_RUN, Facts, Row, row_of
from reward_server.records.share import is_in_share
from reward_server.records.text import encode, encode_all
from reward_server.records.writer import Writer, private_folder
from reward_server.rewards.found import Derivation
from reward_server.rewards.plan import Plan
from reward_server.types import Sample

log = logging.getLogger(__name__)
QUEUE_LINES = 2**17
QUEUE_BYTES = 256 * 2**20
"""Of the bodies that the lines came in."""
GATHER_S = 0.05
"""The thread sleeps so long before it writes: to wake it costs more than a line."""
PIECE_BYTES = 2**18
"""Written at once, by the size of the bodies. Between two pieces the event loop has its turn: only writing gives up
the interpreter's lock."""
LINE_BYTES = 600
"""Of a line, beside its texts."""
CLOSE_S = 30.0
"""At the end the disk has so long to take the rest."""
SAY_EVERY_S = 60.0


class BadRecordDir(CommandError, ValueError):
    """`record_dir` cannot be written in: which folder, and why."""


class Paid(Struct, frozen=True, gc=False):
    """One answered request. `size`: the bytes of its body. `time`: seconds since 1970."""

    plan: Plan
    samples: Sequence[Sample]
    derivations: Sequence[Derivation]
    dialect: str
    query: str
    request_id: str
    time: float
    size: int


@dataclass(frozen=True, slots=True)
class RecordEvents:
    """What is told to whoever counts: lines written, lines dropped, bytes written."""

    on_lines: Callable[[float], object]
    on_dropped: Callable[[float], object]
    on_bytes: Callable[[float], object]


@dataclass(frozen=True, slots=True)
class Recording:
    """What is recorded, and where. `share`: of the questions. `variant(name)`: as in Facts."""

    folder: Path
    share: float
    max_bytes: int
    has_text: bool
    variant: Callable[[str], dict[str, object] | None]


class Recorder:
    """The queue and the thread. `start` it; `close` writes what is left. Raises BadRecordDir."""

    def __init__(self, recording: Recording, events: RecordEvents) -> None:
        _check_folder(recording.folder)
        self._recording = recording
        self._events = events
        self._writer = Writer(recording.folder, recording.max_bytes)
        self._loss = Loss(events.on_dropped)
        self._process, self._numbers = secrets.token_hex(4), count(1)
        self._queue: deque[Paid] = deque()
        # The loop alone counts in, the thread alone counts out: neither needs a lock.
        self._lines_in = self._lines_out = self._bytes_in = self._bytes_out = 0
        self._in_hand = 0  # lines that the thread took out of the queue and has not written
        self._is_awake = False
        self._wake, self._closing = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="record", daemon=True)

    def start(self) -> None:
        """From now on lines are written."""
        how = self._recording
        texts = "" if how.has_text else ", without texts"
        log.info("recording into %s: %g of the questions%s", how.folder, how.share, texts)
        self._thread.start()

    def take(self, paid: Paid) -> None:
        """Puts a request into the queue; drops it where the queue is full. Never waits, never raises."""
        lines = len(paid.samples)
        is_full = (
            self._lines_in - self._lines_out + lines > QUEUE_LINES
            or self._bytes_in - self._bytes_out + paid.size > QUEUE_BYTES
        )
        if is_full:
            self._loss.add(len(self._chosen(paid)), "the disk is slower than the requests: the queue is full")
            return
        self._lines_in += lines
        self._bytes_in += paid.size
        self._queue.append(paid)
        if not self._is_awake:
            self._is_awake = True
            self._wake.set()

    def close(self) -> None:
        """Writes what is in the queue. What the disk does not take in CLOSE_S is dropped, and said."""
        self._closing.set()
        self._wake.set()
        self._thread.join(CLOSE_S)
        if self._thread.is_alive():
            left = self._in_hand + sum(len(self._chosen(paid)) for paid in list(self._queue))
            self._loss.add(left, f"the disk did not take them within {CLOSE_S:g} s")
        self._loss.say()

    def _run(self) -> None:
        while not (self._closing.is_set() and not self._queue):
            self._wake.wait()
            self._wake.clear()
            self._closing.wait(GATHER_S)
            self._is_awake = False  # before the queue is emptied: what comes after that wakes the thread again
            try:
                self._empty()
            except Exception as error:  # a bug of ours, and no reason to record nothing from here on
                log.exception("the record's thread goes on after an error")
                self._loss.add(self._in_hand, repr(error))
                self._in_hand = 0
            self._loss.say_if_due()
        self._writer.close()

    def _empty(self) -> None:
        piece: list[Row] = []
        size, run = 0, ""
        while self._queue:
            paid = self._queue.popleft()
            self._lines_out += len(paid.samples)
            self._bytes_out += paid.size
            chosen = self._chosen(paid)
            self._in_hand += len(chosen)
            facts = self._facts(paid)
            if facts.run != run:
                self._write(run, piece)
                size, run = 0, facts.run
            for row in self._rows(paid.plan, facts, chosen):
                piece.append(row)
                size += LINE_BYTES + paid.size // len(paid.samples)
                if size >= PIECE_BYTES:
                    self._write(run, piece)
                    size = 0
        self._write(run, piece)

    def _rows(self, plan: Plan, facts: Facts, chosen: list[tuple[Sample, Derivation]]) -> Iterator[Row]:
        has_text, process, numbers = self._recording.has_text, self._process, self._numbers
        for sample, derivation in chosen:
            try:
                yield row_of(f"{process}-{next(numbers)}", facts, plan, sample, derivation, text=has_text)
            except Exception as error:  # noqa: BLE001 - one line that cannot be written must not cost the others
                self._lose_one(error)

    def _encoded(self, piece: list[Row]) -> tuple[bytes, int]:
        """The lines, and how many they are."""
        try:
            return encode_all(piece), len(piece)
        except Exception:  # noqa: BLE001 - one of them is no plain JSON, and the others have their lines
            lines = list(self._lines(piece))
            return b"".join(lines), len(lines)

    def _lines(self, piece: list[Row]) -> Iterator[bytes]:
        for row in piece:
            try:
                yield encode(row)
            except Exception as error:  # noqa: BLE001 - as in `_rows`
                self._lose_one(error)

    def _lose_one(self, error: Exception) -> None:
        self._in_hand -= 1
        self._loss.add(1, f"a line could not be made: {error!r}")

    def _chosen(self, paid: Paid) -> list[tuple[Sample, Derivation]]:
        pairs = list(zip(paid.samples, paid.derivations, strict=True))
        share = self._recording.share
        return pairs if share >= 1 else [pair for pair in pairs if is_in_share(pair[0], share)]

    def _write(self, run: str, piece: list[Row]) -> None:
        """Writes the piece and empties it."""
        content, lines = self._encoded(piece)
        if lines:
            written = self._writer.write(run, content, lines)
            self._events.on_lines(written.lines)
            self._events.on_bytes(written.bytes)
            if written.error is not None:
                self._loss.add(lines - written.lines, f"{self._recording.folder}: {written.error}")
            self._in_hand -= lines
        piece.clear()

    def _facts(self, paid: Paid) -> Facts:
        reward = paid.plan.reward
        return Facts(
            time=paid.time,
            run=reward.run or DEFAULT_RUN,
            request_id=paid.request_id,
            dialect=paid.dialect,
            query=paid.query,
            step=reward.step,
            variant=self._recording.variant(paid.plan.name),
        )


class Loss:
    """Counts what was dropped, from any thread, and says it at once, and then once a minute."""

    def __init__(self, on_dropped: Callable[[float], object]) -> None:
        self._on_dropped = on_dropped
        self._lock = threading.Lock()
        self._unsaid, self._why = 0, ""
        self._said_at = -SAY_EVERY_S

    def add(self, lines: int, why: str) -> None:
        """Counts lines that are dropped."""
        with self._lock:
            self._unsaid, self._why = self._unsaid + lines, why
        self._on_dropped(lines)
        self.say_if_due()

    def say_if_due(self) -> None:
        """Says it where the last time was a minute ago."""
        if self._unsaid and time.monotonic() - self._said_at >= SAY_EVERY_S:
            self.say()

    def say(self) -> None:
        """Says what was dropped since it was said last."""
        with self._lock:
            unsaid, self._unsaid, self._said_at = self._unsaid, 0, time.monotonic()
        if unsaid:
            log.error("%d lines of the record were dropped (rewards are paid as ever): %s", unsaid, self._why)


def _check_folder(folder: Path) -> None:
    """Makes the folder, and a file in it for a moment. Raises BadRecordDir."""
    try:
        private_folder(folder)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise BadRecordDir(
            f"record_dir: cannot write in {folder} ({error.strerror}); name a folder that this user may write in"
        ) from None
