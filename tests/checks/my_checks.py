"""Checks of one's own as users write them, and as they should not: the tests' servers import this."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np


def words(answer: str, ground_truth: Any) -> float:
    """The share of the words that are wanted."""
    return min(1.0, len(answer.split()) / int(ground_truth["min_words"]))


def equal(answer: str, ground_truth: object) -> bool:
    return answer == ground_truth


def given(answer: str, ground_truth: object) -> bool:
    """Is the ground truth of the type that the answer names?"""
    return type(ground_truth).__name__ == answer


def odd(answer: str, _ground_truth: object) -> object:
    """Does what its answer says."""
    return DEEDS[answer]() if answer in DEEDS else VALUES.get(answer, True)


def _loop() -> None:
    while True:
        pass


def _raise() -> None:
    raise KeyError("what the policy wrote")


def _write() -> bool:
    return os.write(1, b"\0" * 100) > 0 and bool(sys.stdout.write("out"))


DEEDS: dict[str, Callable[[], object]] = {
    "loop": _loop,
    "sleep": lambda: time.sleep(3600),
    "memory": lambda: "x" * (1 << 34),
    "die": lambda: os._exit(3),
    "exit": lambda: sys.exit(3),
    "raise": _raise,
    "write": _write,
}
VALUES = {
    "none": None,
    "text": "yes",
    "list": [1],
    "two": 2,
    "nearly": 1.0000001,
    "below": -0.1,
    "nan": float("nan"),
    "infinite": float("inf"),
    "half": 0.5,
    "NumPy half": np.float32(0.5),
    "NumPy true": np.bool_(True),
    "one": 1,
}


def child() -> int:
    """Starts a program that goes on, and tells its process id."""
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"]).pid


CALLS: list[str] = []
KEPT: list[object] = []


def leaky(answer: str, ground_truth: object) -> bool:
    """Keeps 200 MB at each call, had in the way that the answer's first word says.

    None of them is touched: the machine's time for 51,200 pages would be the answer's.
    """
    KEPT.append(MEMORY[answer.split()[0]](200 * 2**20))
    return answer == ground_truth


def _as_pytorch(size: int) -> object:
    """Fails as `torch.empty` does, which takes longer to import than the tests' budgets."""
    try:
        return mmap.mmap(-1, size)
    except OSError as error:
        raise RuntimeError(f"DefaultCPUAllocator: can't allocate memory. Error code 12 ({error.strerror})") from None


MEMORY: dict[str, Callable[[int], object]] = {
    "numpy": lambda size: np.empty(size, np.uint8),
    "mmap": lambda size: mmap.mmap(-1, size),
    "pytorch": _as_pytorch,
}


def brim(_answer: str, _ground_truth: object) -> bool:
    """Keeps nearly all memory that there is."""
    size = 2**28
    while size > 2**16:
        try:
            KEPT.append(np.empty(size, np.uint8))
        except MemoryError:
            size //= 2
    return True


def counting(_answer: str, _ground_truth: object) -> float:
    """Depends on how often it was asked."""
    CALLS.append("")
    return 1.0 if len(CALLS) <= 1 else 0.5


def by_time(_answer: str, _ground_truth: object) -> float:
    return time.time_ns() % 1000 / 1000
