"""A table in a temporary file, for what may be too much for the memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory


@contextmanager
def spill(tables: str) -> Iterator[sqlite3.Connection]:
    """A database with these tables, in one transaction without a journal: it is removed at exit."""
    with (
        TemporaryDirectory(prefix="reward-server-") as folder,
        closing(sqlite3.connect(Path(folder) / "rows.sqlite", isolation_level=None)) as sql,
    ):
        sql.executescript(f"pragma journal_mode=off; pragma synchronous=off; pragma cache_size=-32768; {tables}")
        sql.execute("begin")
        yield sql
