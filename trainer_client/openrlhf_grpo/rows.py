"""A row of a data set, where rows come from, and what is raised where they cannot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Row = dict[str, Any]


class BadDataset(ValueError):
    """The data is not what was said: which file and line, and what is wrong."""


@dataclass(frozen=True)
class Source:
    """`read` gives (where, done, row) from the beginning: `where` for messages, `done` in the unit of `total`. Paths in
    rows begin in `folder`."""

    name: str
    total: int
    read: Callable[[], Iterator[tuple[str, int, Row]]]
    folder: Path = Path()
