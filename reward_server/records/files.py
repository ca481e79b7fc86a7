"""Where a record lies, and how it is read: `FOLDER/RUN/2026-11-26T22-HOST-PID-0001.jsonl`.

Each file has one writer, which only appends. So a line is whole, or it is the last one and has no end: its writer is
just writing it, or was killed. Files of other names are nobody's record and are passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reward_server.errors import CommandError
from reward_server.records.row import Row
from reward_server.records.text import BadLine, decode

FILE = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2})-(.+)-(\d+)-(\d{4,})\.jsonl")
"""Hour in UTC, host, process, number of the file."""
COMPRESSED = (".gz", ".zst", ".xz", ".bz2")


class NoRecord(CommandError, ValueError):
    """There is nothing recorded there: where was looked, and what stands there instead."""


@dataclass(frozen=True, slots=True)
class Place:
    """A line: its file, and where it begins in it, in bytes."""

    file: Path
    offset: int

    def __str__(self) -> str:
        return f"{self.file}, byte {self.offset}"


def runs(folder: Path) -> list[str]:
    """The runs of a record, by name."""
    return sorted({file.parent.name for file in files(folder)})


def files(record: Path, run: str | None = None) -> list[Path]:
    """The files of a record, of one of its runs, or one file by itself, the oldest first. Raises NoRecord."""
    if record.is_file():
        if record.suffix in COMPRESSED:
            raise NoRecord(f"{record} is compressed: decompress it first")
        return [record]
    if not record.is_dir():
        if record.exists():
            raise NoRecord(f"{record} is a stream, and a record is read more than once: write it into a file")
        raise NoRecord(f"{record}: no such folder")
    found = [file for file in (*record.glob("*.jsonl"), *record.glob("*/*.jsonl")) if FILE.fullmatch(file.name)]
    chosen = [file for file in found if run is None or file.parent.name == run]
    if found and not chosen:
        known = ", ".join(sorted({file.parent.name for file in found}))
        raise NoRecord(f"{record} has no run {run!r}; it has {known}")
    return sorted(chosen, key=_age)


def compressed(record: Path, run: str | None = None) -> list[Path]:
    """Files of a record, or of one of its runs, that somebody compressed: nothing here reads them."""
    found = [file for end in COMPRESSED for file in record.glob(f"*/*.jsonl{end}") if FILE.fullmatch(file.stem)]
    return sorted(file for file in found if run is None or file.parent.name == run)


def lines(file: Path, start: int = 0, torn: list[Path] | None = None) -> Iterator[tuple[Place, bytes]]:
    """The whole lines from byte `start` on, where a line begins. A last one without an end adds the file to `torn`."""
    with file.open("rb") as opened:
        opened.seek(start)
        for line in opened:
            if not line.endswith(b"\n"):
                if torn is not None:
                    torn.append(file)
                return
            yield Place(file, start), line
            start += len(line)


def rows(record: Path, run: str | None = None, torn: list[Path] | None = None) -> Iterator[tuple[Place, Row]]:
    """Every row of a record, file by file. Raises NoRecord, and BadLine with the place of the line."""
    for file in files(record, run):
        for place, line in lines(file, torn=torn):
            yield place, row_in(place, line)


def row_at(place: Place) -> Row:
    """The row that stands there. Raises BadLine, OSError."""
    with place.file.open("rb") as opened:
        opened.seek(place.offset)
        return row_in(place, opened.readline())


def row_in(place: Place, line: bytes) -> Row:
    """The row of a line. Raises BadLine with the place."""
    try:
        return decode(line)
    except BadLine as error:
        raise type(error)(f"{place}: {error}") from None


def _age(file: Path) -> tuple[str, str, int, str]:
    """By the hour, then as each writer numbered them."""
    found = FILE.fullmatch(file.name)
    return (found[1], f"{found[2]}-{found[3]}", int(found[4]), file.parent.name) if found else (file.name, "", 0, "")
