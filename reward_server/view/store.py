"""The index as a file: SQLite of the standard library, with numbers and byte offsets and no texts of a sample.

It may be deleted at any time, and is made again from the record. It lies beside the record as `.view.sqlite3`, or in a
temporary folder where that cannot be written, or where another `view` has it open.
"""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import suppress
from pathlib import Path

NAME = ".view.sqlite3"
SCHEMA_VERSION = 6
"""Counted up with every change below, and of what is kept: an index of another version is made again."""

TABLES = """
CREATE TABLE files(
    file INTEGER PRIMARY KEY, path TEXT UNIQUE, inode INTEGER, head INTEGER, done INTEGER, skipped INTEGER);
CREATE TABLE names(name INTEGER PRIMARY KEY, kind TEXT, text TEXT, UNIQUE(kind, text));
CREATE TABLE samples(
    n INTEGER PRIMARY KEY, file INTEGER, offset INTEGER, size INTEGER, id INTEGER, time REAL, run INTEGER, unit INTEGER,
    arrival INTEGER, config INTEGER, question INTEGER, visit INTEGER, outcome INTEGER, tier INTEGER, train INTEGER,
    paid REAL, clean REAL, flipped INTEGER, draw REAL, answer INTEGER, chars INTEGER, signs INTEGER, suspect INTEGER);
CREATE TABLE sums(
    run INTEGER, config INTEGER, train INTEGER, unit INTEGER, numbers BLOB, PRIMARY KEY(run, config, train, unit)
) WITHOUT ROWID;
CREATE TABLE answers(
    run INTEGER, question INTEGER, answer INTEGER, rows INTEGER, wrong INTEGER, PRIMARY KEY(run, question, answer)
) WITHOUT ROWID;
CREATE TABLE agreed(
    run INTEGER, question INTEGER, answer INTEGER, share REAL, PRIMARY KEY(run, question, answer)
) WITHOUT ROWID;
CREATE TABLE met(
    run INTEGER, config INTEGER, question INTEGER, returns INTEGER, old_returns INTEGER, state BLOB,
    PRIMARY KEY(run, config, question)
) WITHOUT ROWID;
CREATE TABLE visits(run INTEGER, config INTEGER, visit INTEGER, PRIMARY KEY(run, config, visit)) WITHOUT ROWID;
CREATE TABLE replays(file INTEGER PRIMARY KEY, path TEXT UNIQUE, head INTEGER, done INTEGER);
CREATE TABLE replayed(
    file INTEGER, sample INTEGER, run INTEGER, old_outcome INTEGER, outcome INTEGER, old REAL, paid REAL, change TEXT);
CREATE INDEX by_outcomes ON replayed(file, run, old_outcome, outcome);
CREATE INDEX by_change ON replayed(file, run, change);
CREATE TABLE replay_scores(
    file INTEGER, run INTEGER, bin INTEGER, is_right INTEGER, rows INTEGER, total REAL,
    PRIMARY KEY(file, run, bin, is_right)
) WITHOUT ROWID;
CREATE TABLE scores(
    run INTEGER, config INTEGER, bin INTEGER, is_right INTEGER, rows INTEGER, total REAL,
    PRIMARY KEY(run, config, bin, is_right)
) WITHOUT ROWID;
"""
NAMES = (
    *("files", "names", "samples", "sums", "answers", "agreed", "scores", "met", "visits"),
    *("replays", "replayed", "replay_scores"),
)
INDEXES = """
CREATE INDEX IF NOT EXISTS by_run ON samples(run);
CREATE INDEX IF NOT EXISTS by_id ON samples(id);
CREATE INDEX IF NOT EXISTS by_unit ON samples(run, unit);
CREATE INDEX IF NOT EXISTS by_outcome ON samples(run, outcome);
CREATE INDEX IF NOT EXISTS by_question ON samples(run, question);
CREATE INDEX IF NOT EXISTS by_suspect ON samples(run, suspect DESC, n) WHERE suspect > 0;
CREATE INDEX IF NOT EXISTS by_no_answer ON samples(run) WHERE signs & 1;
CREATE INDEX IF NOT EXISTS by_eaten ON samples(run) WHERE signs & 4;
CREATE INDEX IF NOT EXISTS by_taken ON samples(run) WHERE signs & 8;
"""
"""Made after the first reading: to keep them up to date row by row would take twice as long."""


def opened(folder: Path) -> tuple[sqlite3.Connection, Path]:
    """The index of a folder, made where there is none that can be used, and where it lies."""
    try:
        return _opened(folder / NAME), folder / NAME
    except (sqlite3.Error, OSError):
        path = Path(tempfile.mkdtemp(prefix="reward-server-view-")) / NAME
        return _opened(path), path


def removed(connection: sqlite3.Connection, path: Path) -> None:
    """Closes an index in a temporary folder for good; one beside the record stays."""
    connection.close()
    if path.parent.name.startswith("reward-server-view-"):
        with suppress(OSError):
            path.unlink()
            path.parent.rmdir()


def _opened(path: Path) -> sqlite3.Connection:
    """Raises sqlite3.Error or OSError where the file cannot be written, or somebody else has it open."""
    connection = _connected(path)
    try:
        if _version(connection) == SCHEMA_VERSION:
            return connection
    except sqlite3.OperationalError:  # another process has it
        connection.close()
        raise
    except sqlite3.DatabaseError:  # no index at all
        pass
    connection.close()
    path.unlink()  # whatever it was, it is made again
    connection = _connected(path)
    _version(connection)
    connection.executescript(f"BEGIN EXCLUSIVE; {TABLES} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
    return connection


def _connected(path: Path) -> sqlite3.Connection:
    path.touch(mode=0o600)
    return sqlite3.connect(path, timeout=1, isolation_level=None, check_same_thread=False)


def _version(connection: sqlite3.Connection) -> int:
    """The version of its schema, 0 of a new file. From here on nobody else can open it."""
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("PRAGMA synchronous = OFF")  # after a power cut it is made again
    connection.execute("PRAGMA journal_mode = TRUNCATE")
    connection.execute("PRAGMA cache_size = -65536")  # KiB
    ((version,),) = connection.execute("PRAGMA user_version")
    return int(version)
