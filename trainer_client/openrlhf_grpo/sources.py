"""Where questions come from: JSONL, Parquet, what `datasets` reads, or a task of reasoning-gym. Never read whole."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from trainer_client.openrlhf_grpo.hub import hub, is_here
from trainer_client.openrlhf_grpo.rows import BadDataset, Row, Source

REASONING_GYM = "reasoning-gym:"
EXPECTED = (
    f"FILE.jsonl, .parquet, .json, .csv or .arrow, a folder, a name on the Hugging Face hub, or {REASONING_GYM}TASK"
)


def source(text: str, *, size: int, seed: int, splits: Sequence[str] = ("train",)) -> Source:
    """What an option names. `size` and `seed` are of reasoning-gym, `splits` are tried where the text names none.
    Raises BadDataset."""
    if text.startswith(REASONING_GYM):
        return _reasoning_gym(text.removeprefix(REASONING_GYM), size, seed)
    path = Path(text)
    if path.is_file() and path.suffix in (".jsonl", ".parquet"):
        return _jsonl(path) if path.suffix == ".jsonl" else _parquet(path)
    if is_here(text):
        return hub(text, splits)
    if path.is_file():
        raise BadDataset(f"{text}: expected {EXPECTED}")
    several = "; several are words of their own: --dataset A B" if "," in text else ""
    raise BadDataset(f"{text}: no such file or folder, and no name on the Hugging Face hub{several}")


def _jsonl(path: Path) -> Source:
    def read() -> Iterator[tuple[str, int, Row]]:
        done = 0
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                done += len(line)
                if line.strip():
                    yield f"{path}, line {number}", done, _json_row(line, f"{path}, line {number}")

    return Source(path.stem, path.stat().st_size, read, path.parent)


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
            return Source(path.stem, file.metadata.num_rows, read, path.parent)
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
