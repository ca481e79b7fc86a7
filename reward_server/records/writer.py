"""Appends lines to the files of one process, one open file a run, and keeps the record within its limit.

A file is rotated at 256 MiB, or at a quarter of the limit. Oldest files go first; one that is being written by another
process is never deleted: its writer holds a lock on it (flock), which ends with the process.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import socket
import time
from collections import OrderedDict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from reward_server.records.files import FILE

FILE_BYTES = 256 * 2**20
MAX_OPEN = 32
"""Runs with an open file. One more closes the one that was written least recently."""
_FULL = (errno.ENOSPC, errno.EDQUOT)
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
_HOST = re.sub(r"[^A-Za-z0-9.-]", "_", socket.gethostname())[:64] or "host"
MAX_TRIES = 10_000
"""Names that another process may have taken: one in another container, of the same host name and number."""
LOOK_EVERY_S = 60.0
"""So often the folder is looked at for what other processes wrote."""
LOCKLESS_S = 3600
"""Where a file system has no locks, a file that was written within so many seconds counts as being written."""


@dataclass(slots=True)
class Written:
    """What became of some lines: those that are whole in the file, their bytes, and why the rest is not."""

    lines: int
    bytes: int
    error: OSError | None = None


class Writer:
    """The files of one process. `max_bytes`: of all files of the record together."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._file_bytes = min(FILE_BYTES, max_bytes // 4)
        self._open: OrderedDict[str, tuple[Path, int]] = OrderedDict()
        self._number = 0
        self._total = 0  # bytes of the record: as it was looked at last, and what was written here since
        self._looked_at = -LOOK_EVERY_S

    def write(self, run: str, lines: bytes, number: int | None = None) -> Written:
        """Appends whole lines to the file of the run. What cannot be written leaves no half a line behind.

        `number`: how many they are, where that is known. To count them takes longer than to write them.
        """
        try:
            file = self._file(run, len(lines))
            end = os.fstat(file).st_size
        except OSError as reason:
            return Written(0, 0, reason)
        done, error = _append(file, lines)
        whole = lines.rfind(b"\n", 0, done) + 1
        if error is not None:
            self._mend(run, file, end + whole, is_torn=whole < done, error=error)
        self._total += whole
        if number is None or whole < len(lines):
            number = lines.count(b"\n", 0, whole)
        return Written(number, whole, error)

    def close(self) -> None:
        """Closes all files."""
        for run in list(self._open):
            self._close(run)

    def _file(self, run: str, size: int) -> int:
        """The run's open file that has room for `size` bytes."""
        if self._total + size > self._max_bytes or time.monotonic() - self._looked_at >= LOOK_EVERY_S:
            self._make_room(size, keep=run)
        if run in self._open:
            self._open.move_to_end(run)
            _, file = self._open[run]
            found = os.fstat(file)
            if found.st_nlink and (not found.st_size or found.st_size + size <= self._file_bytes):
                return file
            self._close(run)  # it is full, or somebody deleted it
        while len(self._open) >= MAX_OPEN:
            self._close(next(iter(self._open)))
        self._open[run] = self._new_file(run)
        return self._open[run][1]

    def _new_file(self, run: str) -> tuple[Path, int]:
        folder = self._folder / run
        failure: OSError | None = None
        for _ in range(MAX_TRIES):
            private_folder(self._folder)
            folder.mkdir(mode=0o700, exist_ok=True)
            self._number += 1
            hour = time.strftime("%Y-%m-%dT%H", time.gmtime())
            path = folder / f"{hour}-{_HOST}-{os.getpid()}-{self._number:04d}.jsonl"
            try:
                file = os.open(path, _FLAGS, 0o600)
            except (FileExistsError, FileNotFoundError) as error:  # of another process; its folder was just deleted
                failure = error
                continue
            with suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return path, file
        raise failure or OSError(f"{folder}: no file can be made")

    def _close(self, run: str) -> None:
        _, file = self._open.pop(run)
        with suppress(OSError):
            os.close(file)

    def _mend(self, run: str, file: int, end: int, *, is_torn: bool, error: OSError) -> None:
        """Cuts off half a line. A full disk may have room again; after any other error the run begins a new file."""
        if is_torn:
            try:
                os.ftruncate(file, end)
            except OSError:
                self._close(run)
                return
        if error.errno not in _FULL and (end or error.errno != errno.EFBIG):
            self._close(run)

    def _make_room(self, more: int, keep: str) -> None:
        """Where `more` bytes pass the limit, deletes the oldest files until a whole file fits; of our own open ones all
        but that of the run `keep`."""
        self._looked_at = time.monotonic()
        ours = {path: run for run, (path, _) in self._open.items()}
        found = sorted(_sizes(self._folder))
        self._total = sum(size for _, size, _ in found)
        if self._total + more <= self._max_bytes:
            return
        for _, size, path in found:
            if self._total + max(more, self._file_bytes) <= self._max_bytes:
                return
            if path in ours and ours[path] == keep:
                continue
            if path in ours:
                self._close(ours[path])
            if _delete(path):
                self._total -= size


def private_folder(folder: Path) -> None:
    """Makes the folder, its owner's alone, where it is not there. Raises OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def _append(file: int, lines: bytes) -> tuple[int, OSError | None]:
    """How many bytes were written, and why not all."""
    done, left = 0, memoryview(lines)
    try:
        while done < len(lines):
            done += os.write(file, left[done:])
    except OSError as error:
        return done, error
    return done, None


def _sizes(folder: Path) -> Iterable[tuple[int, int, Path]]:
    """When each file of the record was written last, and its size."""
    for path in folder.glob("*/*.jsonl"):
        if FILE.fullmatch(path.name):
            with suppress(OSError):
                found = path.lstat()
                yield found.st_mtime_ns, found.st_size, path


def _delete(path: Path) -> bool:
    """Deletes a file that nobody writes, and its folder if it was the last one; True where that is done."""
    with suppress(OSError):
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if _is_being_written(file):
                return False
            path.unlink()
        finally:
            os.close(file)
        with suppress(OSError):
            path.parent.rmdir()
        return True
    return False


def _is_being_written(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return time.time() - os.fstat(file).st_mtime < LOCKLESS_S
    return False
