"""Where a step of scoring runs: small work on the event loop, large work in one thread. Each step is timed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from time import perf_counter
from typing import TypeVar, TypeVarTuple, Unpack

from reward_server.kit.counters import Distribution

R = TypeVar("R")
Args = TypeVarTuple("Args")
Times = dict[str, float] | None
"""Receives milliseconds per step."""
INLINE_CHARS = 65_536
"""More text than this is worked on in the thread: on the loop it would hold up everybody for milliseconds."""


class Steps:
    """Runs steps and times them. Open it with `with steps.running()`."""

    def __init__(self, seconds: Mapping[str, Distribution]) -> None:
        """`seconds`: of each stage, what its times are counted in."""
        self._seconds = seconds

    @contextmanager
    def running(self) -> Iterator[None]:
        """Starts the thread, and ends it at exit."""
        with ThreadPoolExecutor(1, thread_name_prefix="rewards") as self._thread:
            yield

    async def run(
        self, stage: str | None, times: Times, size: int, work: Callable[[Unpack[Args]], R], *args: Unpack[Args]
    ) -> R:
        """Runs pure work on `size` characters: small work here, large work in the thread. `stage`: it is timed as."""
        started = perf_counter()
        if size <= INLINE_CHARS:
            result = work(*args)
        else:
            result = await asyncio.get_running_loop().run_in_executor(self._thread, work, *args)
        if stage is not None:
            self._seconds[stage].observe(perf_counter() - started)
            if times is not None:
                _add(times, stage, started)
        return result

    async def timed(self, stage: str, times: Times, work: Awaitable[R]) -> R:
        """Waits for what runs elsewhere."""
        started = perf_counter()
        result = await work
        self._seconds[stage].observe(perf_counter() - started)
        if times is not None:
            _add(times, stage, started)
        return result


def _add(times: dict[str, float], stage: str, started: float) -> None:
    times[stage] = round(times.get(stage, 0.0) + (perf_counter() - started) * 1000, 3)
