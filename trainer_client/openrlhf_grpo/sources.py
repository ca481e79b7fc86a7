"""Where questions come from: JSONL, Parquet, or a task of reasoning-gym. Files are never read whole."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REASONING_GYM = "reasoning-gym:"
Row = dict[str, Any]


class BadDataset(ValueError):
    """The data is not what was said: which file and line, and what is wrong."""


@dataclass(frozen=True)
class Source:
    """`read` gives (where, done, row) from the beginning: `where` for messages, `done` in the unit of `total`."""

    name: str
    total: int
    read: Callable[[], Iterator[tuple[str, int, Row]]]


def source(text: str, *, size: int, seed: int) -> Source:
    """What an option names. `size` and `seed` are of reasoning-gym. Raises BadDataset."""
    if text.startswith(REASONING_GYM):
        return _reasoning_gym(text.removeprefix(REASONING_GYM), size, seed)
    path = Path(text)
    if path.suffix not in (".jsonl", ".parquet"):
        raise BadDataset(f"{text}: expected FILE.jsonl, FILE.parquet or {REASONING_GYM}TASK")
    if not path.is_file():
        raise BadDataset(f"{text}: no such file")
    return _jsonl(path) if path.suffix == ".jsonl" else _parquet(path)


def _jsonl(path: Path) -> Source:
    def read() -> Iterator[tuple[str, int, Row]]:
        done = 0
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                done += len(line)
                if line.strip():
                    yield f"{path}, line {number}", done, _json_row(line, f"{path}, line {number}")

    return Source(path.stem, path.stat().st_size, read)


def _json_row(line: bytes, where: str) -> Row:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise BadDataset(f"{where}: not JSON: {error}") from None
    if not isinstance(row, dict):
        raise BadDataset(f"{where}: expected a JSON object, got {type(row).__name__}")
    return row


def _parquet(path: Path) -> Source:
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise BadDataset(f"{path}: reading Parquet needs pyarrow: pip install pyarrow") from None

    def read() -> Iterator[tuple[str, int, Row]]:
        done = 0
        with ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=1024):
                for row in batch.to_pylist():
                    done += 1
                    yield f"{path}, row {done}", done, row

    try:
        with ParquetFile(path) as file:
            return Source(path.stem, file.metadata.num_rows, read)
    except (ArrowException, OSError) as error:
        raise BadDataset(f"{path}: {error}") from None


def _reasoning_gym(task: str, size: int, seed: int) -> Source:
    try:
        import reasoning_gym
        from reasoning_gym.factory import DATASETS
    except ImportError:
        raise BadDataset(f"{REASONING_GYM}{task} needs reasoning-gym: pip install reasoning-gym") from None
    if task not in DATASETS:
        near = difflib.get_close_matches(task, DATASETS) or sorted(DATASETS)
        raise BadDataset(f"reasoning-gym has no task {task!r}; perhaps {', '.join(near)}")

    def read() -> Iterator[tuple[str, int, Row]]:
        tasks = reasoning_gym.create_dataset(task, size=size, seed=seed)
        for number in range(size):
            entry = tasks[number]
            row = {"question": entry["question"], "answer": entry["answer"]}
            yield f"{task}, question {number}", number + 1, row

    return Source(task, size, read)
