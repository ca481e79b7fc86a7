"""The index of a record: brought up to date from what the files have grown by, never by reading them again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from threading import Lock
from typing import Any

import msgspec
import numpy as np

from reward_server.records.files import files as record_files
from reward_server.records.row import Row
from reward_server.view import store
from reward_server.view.batch import Batch
from reward_server.view.facts import Facts, facts_of
from reward_server.view.lines import RecordFile, head_of, new_lines
from reward_server.view.sums import UNIT_ROWS, Key, Sums

ROWS_AT_ONCE = 20_000
OPEN_ARRIVALS = 50_000
"""Questions whose last row came so many arrivals ago get no more rows."""
_COLUMNS = 23
_INSERT = f"INSERT INTO samples VALUES({','.join('?' * _COLUMNS)})"


class _State(msgspec.Struct):
    """What the next reading goes on from. `arrivals`: rows so far, by run and reward."""

    n: int = 0
    arrivals: dict[tuple[int, str], int] = msgspec.field(default_factory=dict)
    still_open: bytes = b""


class Index:
    """The index of one folder. Close it at the end. One thread at a time uses it: hold `lock`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lock = Lock()
        self.connection, self.path = store.opened(folder)
        self._names: dict[tuple[str, str], int] = {}
        self._configs: dict[tuple[str, str, str, str], int] = {}
        self._read_state()

    def close(self) -> None:
        store.removed(self.connection, self.path)

    def query(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql, values).fetchall()

    def refresh(self, tell: Callable[[int], None] = lambda _rows: None) -> None:
        """Reads what is new. `tell` hears how many more rows are done."""
        files = self._files()
        grown = [file for file in files if _state_of(file.path)[1] > file.done]
        if not grown:
            return
        try:
            self._read(grown, tell)
        except BaseException:
            self._read_state()  # as it was written last
            raise
        self.connection.executescript(store.INDEXES)

    def skipped(self) -> int:
        """Lines that are no rows."""
        return int(self.query("SELECT coalesce(sum(skipped), 0) FROM files")[0][0])

    @property
    def torn(self) -> list[Path]:
        """Files whose last line has no end."""
        return [file.path for file in self._known.values() if file.is_torn]

    def name(self, kind: str, text: str) -> int:
        """The number that stands for a text of a closed set, given out at first sight."""
        found = self._names.get((kind, text))
        if found is None:
            self.connection.execute("INSERT OR IGNORE INTO names(kind, text) VALUES(?, ?)", (kind, _storable(text)))
            ((found,),) = self.query("SELECT name FROM names WHERE kind = ? AND text = ?", kind, _storable(text))
            self._names[kind, text] = found
        return int(found)

    def names(self, kind: str) -> dict[int, str]:
        """Of one kind, all texts by their numbers."""
        return dict(self.query("SELECT name, text FROM names WHERE kind = ? ORDER BY name", kind))

    def file_of(self, number: int) -> Path:
        """The path of a file by its number."""
        ((path,),) = self.query("SELECT path FROM files WHERE file = ?", number)
        return self.folder / str(path)

    def _read(self, files: list[RecordFile], tell: Callable[[int], None]) -> None:
        batch = Batch()
        for file in files:
            file.head = file.head or head_of(file.path)
        for file, offset, size, row in new_lines(files):
            self._add(batch, file, offset, size, row)
            if len(batch.samples) == ROWS_AT_ONCE:
                self._write(batch, files)
                tell(len(batch.samples))
                batch = Batch()
        self._write(batch, files)
        tell(len(batch.samples))

    def _read_state(self) -> None:
        found = self.query("SELECT text FROM names WHERE kind = 'state'")
        self._state = msgspec.msgpack.decode(found[0][0], type=_State) if found else _State()
        self._sums = Sums(self._state.still_open)
        rows = self.query("SELECT file, path, inode, head, done, skipped FROM files")
        self._known = {path: RecordFile(file, self.folder / path, *rest) for file, path, *rest in rows}

    def _files(self) -> list[RecordFile]:
        """The record's files as they are now. One that was replaced or cut makes the index be made again."""
        paths = record_files(self.folder)
        found = {str(path.relative_to(self.folder)): path for path in paths}
        for name, file in self._known.items():
            if name in found and _is_another(file):
                return self._made_again()
        for name, path in found.items():
            if name not in self._known:
                inode, _ = _state_of(path)
                cursor = self.connection.execute(
                    "INSERT INTO files(path, inode, head, done, skipped) VALUES(?, ?, 0, 0, 0)", (name, inode)
                )
                self._known[name] = RecordFile(int(cursor.lastrowid or 0), path, inode)
        return [self._known[name] for name in found]

    def _made_again(self) -> list[RecordFile]:
        for table in store.NAMES:
            self.connection.execute(f"DELETE FROM {table}")
        self._names, self._configs = {}, {}
        self._read_state()
        return self._files()

    def _add(self, batch: Batch, file: RecordFile, offset: int, size: int, row: Row) -> None:
        facts = facts_of(row)
        run = self.name("run", facts.run)
        reward = run, row.reward
        arrival = self._state.arrivals.get(reward, 0)
        unit = facts.step if facts.step is not None and facts.step >= 0 else -1 - arrival // UNIT_ROWS
        self._state.arrivals[reward] = arrival + facts.is_train
        config = self._configs.get(facts.config)
        if config is None:
            config = self._configs[facts.config] = self.name(
                "config", "\n".join(each.replace("\n", " ") for each in facts.config)
            )
        key = (run, config, int(facts.is_train), unit)
        self._sums.add(key, facts, arrival)
        batch.samples.append(self._sample(key, facts, (self._state.n, file.number, offset, size), arrival))
        batch.count(key, facts, arrival)
        self._state.n += 1

    def _sample(self, key: Key, facts: Facts, place: tuple[int, int, int, int], arrival: int) -> tuple[object, ...]:
        run, config, is_train, unit = key
        outcome, tier = self.name("outcome", facts.outcome), self.name("tier", facts.tier or "")
        return (
            *(*place, facts.id, facts.time, run, unit, arrival, config, facts.question, facts.visit, outcome, tier),
            *(is_train, facts.paid, facts.clean, facts.flipped, facts.draw, facts.answer, facts.chars),
            *(facts.signs, facts.suspect),
        )

    def _write(self, batch: Batch, files: Iterable[RecordFile]) -> None:
        """All of it or nothing."""
        execute, executemany = self.connection.execute, self.connection.executemany
        execute("BEGIN")
        try:
            executemany(_INSERT, batch.samples)
            self._write_sums()
            batch.met.write(self.connection)
            executemany(
                "INSERT INTO answers VALUES(?, ?, ?, ?, ?) ON CONFLICT DO UPDATE"
                " SET rows = rows + excluded.rows, wrong = wrong + excluded.wrong",
                [(*key, *counts) for key, counts in batch.answers.items()],
            )
            self._write_agreed({key[:2] for key in batch.answers})
            executemany(
                "INSERT INTO scores VALUES(?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE"
                " SET rows = rows + excluded.rows, total = total + excluded.total",
                [(*key, *counts) for key, counts in batch.scores.items()],
            )
            executemany(
                "UPDATE files SET done = ?, skipped = ?, inode = ?, head = ? WHERE file = ?",
                [(file.done, file.skipped, file.inode, file.head, file.number) for file in files],
            )
            arrivals = max(self._state.arrivals.values(), default=0)
            self._state.still_open = self._sums.forget(arrivals - OPEN_ARRIVALS)
            execute("DELETE FROM names WHERE kind = 'state'")
            execute("INSERT INTO names(kind, text) VALUES('state', ?)", (msgspec.msgpack.encode(self._state),))
            execute("COMMIT")
        except BaseException:
            execute("ROLLBACK")
            raise

    def _write_sums(self) -> None:
        written = []
        for key, numbers in self._sums.changed.items():
            where = "run = ? AND config = ? AND train = ? AND unit = ?"
            found = self.query(f"SELECT numbers FROM sums WHERE {where}", *key)
            vector = np.array(numbers)
            written.append((*key, (vector + np.frombuffer(found[0][0]) if found else vector).tobytes()))
        self.connection.executemany("INSERT OR REPLACE INTO sums VALUES(?, ?, ?, ?, ?)", written)

    def _write_agreed(self, questions: set[tuple[int, ...]]) -> None:
        """The wrong answers that more than half of their question's rows give."""
        self.connection.executemany("DELETE FROM agreed WHERE run = ? AND question = ?", questions)
        self.connection.executemany(
            """INSERT INTO agreed SELECT run, question, answer, 1.0 * rows / total FROM answers,
            (SELECT sum(rows) AS total FROM answers WHERE run = ?1 AND question = ?2)
            WHERE run = ?1 AND question = ?2 AND wrong > 0 AND rows > 2 AND 2 * rows > total""",
            questions,
        )


def _is_another(file: RecordFile) -> bool:
    """A copy that goes on where the old one ended, as rsync makes it, is none."""
    inode, size = _state_of(file.path)
    if size < 0 or (inode == file.inode and size >= file.done):
        return False
    if size < file.done or head_of(file.path) != file.head:
        return True
    file.inode = inode
    return False


def _state_of(path: Path) -> tuple[int, int]:
    """Inode and size; size -1 of a file that is gone, as the oldest ones go."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return 0, -1
    return found.st_ino, found.st_size


def _storable(text: str) -> str:
    """SQLite has no lone surrogates."""
    return text.encode("utf-8", "backslashreplace").decode()
