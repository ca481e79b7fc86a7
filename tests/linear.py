"""Is the work linear in the size of its input? Told by CPU time, so that no other process counts."""

from __future__ import annotations

import time
from collections.abc import Callable

CLOCK_S = 0.05
"""Less than this is noise: what is quadratic at these sizes takes seconds."""


def assert_linear(work: Callable[[int], object], size: int, rounds: int = 3) -> None:
    """Work on `size` and on twice as much: the second takes at most three times the CPU time of the first."""
    once, twice = (min(_cpu_s(work, n) for _ in range(rounds)) for n in (size, 2 * size))
    assert twice <= 3 * once + CLOCK_S, f"{size}: {once:.3f} s of CPU, {2 * size}: {twice:.3f} s"


def _cpu_s(work: Callable[[int], object], size: int) -> float:
    started = time.process_time()
    work(size)
    return time.process_time() - started
