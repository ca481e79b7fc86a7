"""The lines of a record that have not been read yet, in order of arrival.

Replicas write a file each, so files are merged by the time in their lines. A line that is no row is skipped and
counted; a torn one, the last of a writer that was killed, is read once it has an end.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from reward_server.records.files import lines
from reward_server.records.row import Row
from reward_server.records.text import BadLine, decode


@dataclass(slots=True)
class RecordFile:
    """One file. `head`: its first line as a number, 0 until that is whole: a copy of it is the same file.

    `done`: bytes read, up to the last line that was yielded. `skipped`: lines that are no rows. `is_torn`: its last
    line has no end.
    """

    number: int
    path: Path
    inode: int
    head: int = 0
    done: int = 0
    skipped: int = 0
    is_torn: bool = False


Line = tuple[RecordFile, int, int, Row]
"""The file, where the line begins in it, its size in bytes, and what it says."""


def head_of(path: Path) -> int:
    """Its first line as a number; 0 where there is no whole one."""
    with path.open("rb") as file:
        line = file.readline()
    return int.from_bytes(blake2b(line, digest_size=8).digest(), "big", signed=True) if line.endswith(b"\n") else 0


def new_lines(files: Iterable[RecordFile]) -> Iterator[Line]:
    """All whole lines after `done`, which is counted up; merged by time, so each file by itself stays in its order."""
    waiting: list[tuple[str, int, Line, Iterator[Line]]] = []
    for file in files:
        with suppress(FileNotFoundError):  # the oldest files go
            _advance(waiting, file, _lines_of(file))
    while waiting:
        _, _, line, rest = heapq.heappop(waiting)
        file, offset, size, _ = line
        file.done = offset + size
        yield line
        _advance(waiting, line[0], rest)


def _advance(waiting: list[tuple[str, int, Line, Iterator[Line]]], file: RecordFile, lines: Iterator[Line]) -> None:
    line = next(lines, None)
    if line is not None:
        heapq.heappush(waiting, (line[3].time, file.number, line, lines))


def _lines_of(file: RecordFile) -> Iterator[Line]:
    torn: list[Path] = []
    end = file.done
    for place, line in lines(file.path, end, torn):
        end = place.offset + len(line)
        try:
            row = decode(line)
        except BadLine:
            file.skipped += 1
            continue
        yield file, place.offset, len(line), row
    file.done, file.is_torn = end, bool(torn)
