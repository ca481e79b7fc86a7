"""Questions by way of Hugging Face's `datasets`: a name on the hub, a folder in the hub's layout, a data set that it
saved, or a file of a kind that we do not read ourselves."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from trainer_client.openrlhf_grpo.rows import BadDataset, Row, Source

FILES = {".json": "json", ".csv": "csv", ".arrow": "arrow"}
"""By ending, who of `datasets` reads it."""
SAVED = ("dataset_dict.json", "state.json")
"""In a folder that `save_to_disk` wrote, one of these."""
NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")
AT_ONCE = 256
"""Rows that are in memory at a time."""


def hub(text: str, splits: Sequence[str]) -> Source:
    """`text`: NAME, NAME:SPLIT or NAME:CONFIG:SPLIT, where NAME may be a path. Without a split the first of `splits`
    that there is, or the only one. No code of a data set is run. Raises BadDataset.
    """
    name, config, split = _parts(text)
    try:
        loaded = _loaded(name, config)
    except ImportError:
        raise BadDataset(f"{text} needs datasets: pip install datasets") from None
    except Exception as error:  # noqa: BLE001 - `datasets`, its readers and its HTTP client raise whatever they like
        raise BadDataset(f"{text}: {_reason(name, error)}") from None
    table = _chosen(text, loaded, split, splits)
    path = Path(name)
    if path.is_file():
        return Source(path.stem, len(table), _reader(text, table), path.parent)
    return Source(path.resolve().name, len(table), _reader(text, table), path)


def _parts(text: str) -> tuple[str, str | None, str | None]:
    if Path(text).exists():
        return text, None, None
    name, *rest = text.split(":")
    if len(rest) > 2 or not all([name, *rest]):
        raise BadDataset(f"{text}: expected NAME, NAME:SPLIT or NAME:CONFIG:SPLIT")
    return name, rest[0] if len(rest) == 2 else None, rest[-1] if rest else None


def _loaded(name: str, config: str | None) -> Any:
    """A data set, or a dict of them by split."""
    import datasets

    path = Path(name)
    if path.is_file():
        return datasets.load_dataset(FILES[path.suffix], data_files=str(path))
    if any((path / file).is_file() for file in SAVED):
        return datasets.load_from_disk(name)
    if not path.is_dir():
        sys.stderr.write(f"openrlhf_grpo: {name} is no file or folder here, asking the Hugging Face hub\n")
    return datasets.load_dataset(str(path.resolve()) if path.is_dir() else name, config)


def _reason(name: str, error: Exception) -> str:
    said = " ".join(str(error).split())
    if isinstance(error, ValueError):  # its configurations
        return f"{said} (NAME:CONFIG:SPLIT names one)"
    if Path(name).exists():
        return said
    return f"no file or folder here, and not to be had from the Hugging Face hub: {type(error).__name__}: {said}"


def _chosen(text: str, loaded: Any, split: str | None, splits: Sequence[str]) -> Any:
    if not isinstance(loaded, dict):
        if split is not None:
            raise BadDataset(f"{text}: this data set was saved without splits, so it has no {split!r}")
        return loaded
    wanted = [split] if split is not None else [*splits, *(loaded if len(loaded) == 1 else ())]
    for name in wanted:
        if name in loaded:
            return loaded[name]
    raise BadDataset(f"{text}: no split {' or '.join(wanted)}; it has {', '.join(loaded)} (NAME:SPLIT names one)")


def _reader(text: str, table: Any) -> Callable[[], Iterator[tuple[str, int, Row]]]:
    """Rows as Arrow has them: an image is its bytes or its path, and needs no decoder."""

    def read() -> Iterator[tuple[str, int, Row]]:
        done = 0
        for batch in table.with_format("arrow").iter(batch_size=AT_ONCE):
            for row in batch.to_pylist():
                done += 1
                yield f"{text}, row {done}", done, row

    return read


def is_here(text: str) -> bool:
    """Whether `hub` can be asked for it: a path that exists, or what could be a name on the hub."""
    path = Path(text)
    if path.is_file():
        return path.suffix in FILES
    name = text.split(":")[0]
    return Path(name).is_dir() or (NAME.fullmatch(name) is not None and Path(name).suffix not in (".jsonl", ".parquet"))
