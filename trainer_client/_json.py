"""JSON out and in. Trainers hand over NumPy scalars and arrays, which are taken without importing NumPy."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from trainer_client._errors import BadBatch


def encode(body: Mapping[str, object]) -> bytes:
    """ASCII JSON; a lone surrogate becomes an escape, which the server reads. Raises BadBatch."""
    try:
        return json.dumps(body, default=_plain, allow_nan=False).encode("ascii")
    except (TypeError, ValueError, RecursionError) as error:
        raise BadBatch(f"JSON cannot carry this: {error}") from None


def decode(body: bytes) -> Any:
    """Raises ValueError for what is not JSON, and for the NaN and Infinity that Python reads though JSON has none."""
    return json.loads(body, parse_constant=_refuse)


def as_column(name: str, values: Iterable[object]) -> list[object]:
    """A list, tuple, array or other column as a list. Raises BadBatch for what is one value, not a column."""
    if isinstance(values, str | bytes | Mapping):
        raise BadBatch(f"{name}: expected one entry a sample, got one {type(values).__name__}")
    try:
        return list(values)
    except TypeError:
        raise BadBatch(f"{name}: expected a list, got {type(values).__name__}") from None


def without_nan(cells: Iterable[object]) -> list[object]:
    """NaN and infinities become None: pandas writes NaN for a missing cell, and null is what the server calls it."""
    return [None if _is_not_finite(cell) else cell for cell in cells]


def _is_not_finite(cell: object) -> bool:
    if isinstance(cell, str | list | dict) or cell is None:
        return False
    value = cell.tolist() if hasattr(cell, "tolist") else cell
    return isinstance(value, float) and not math.isfinite(value)


def _plain(value: object) -> object:
    """NumPy's and torch's scalars and arrays; `json` asks for nothing else."""
    to_list = getattr(value, "tolist", None)
    if to_list is None:
        raise TypeError(f"{type(value).__name__} is not JSON")
    return to_list()


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
