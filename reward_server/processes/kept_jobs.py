"""Results of the pool by key: what is known is not run again, what runs is joined, what was killed is slow after that.

Never kept: kills and errors, which say more about the machine than about the job.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Generic, TypeVar

from reward_server.kit.kept import Kept
from reward_server.processes.job import Job, WorkerKilled
from reward_server.processes.pool import ProcessPool

R = TypeVar("R")
V = TypeVar("V")


class KeptJobs(Generic[R, V]):
    """`brief`: what is kept of a result. `on_lookup` hears `hit`, `joined` or `miss`. `limit`: results kept.

    `counts_waiting`: a job that sleeps until its limit is killed like one that computes.
    """

    def __init__(
        self,
        pool: ProcessPool,
        limit: int,
        brief: Callable[[R], V],
        on_lookup: Callable[[str], object],
        *,
        counts_waiting: bool = False,
    ) -> None:
        self._pool = pool
        self._brief = brief
        self._on_lookup = on_lookup
        self._counts_waiting = counts_waiting
        self._kept: Kept[bytes, V] = Kept(limit)
        self._killed: Kept[bytes, bool] = Kept(limit)
        self._in_flight: dict[bytes, Job[R]] = {}

    def known(self, key: bytes) -> V | None:
        """What is kept under the key."""
        value = self._kept.get(key)
        if value is not None:
            self._on_lookup("hit")
        return value

    async def result(self, key: bytes, call: Callable[..., R], quick_call: Callable[..., R], *args: object) -> V:
        """The result of a job that is not known. Raises WorkerKilled, WorkerDied, and what the call raises."""
        job = self._in_flight.get(key)
        if job is not None and job.future.cancelled():  # dropped a moment ago, since its callers had left
            job = None
        self._on_lookup("miss" if job is None else "joined")
        if job is None:
            job = self._in_flight[key] = self.submitted(key, call, quick_call, *args)
            job.future.add_done_callback(partial(self._landed, key, job))
        return self._brief(await job.result())

    def submitted(self, key: bytes, call: Callable[..., R], quick_call: Callable[..., R], *args: object) -> Job[R]:
        """A job of its own, whatever is known or runs."""
        is_slow, waits = key in self._killed, self._counts_waiting
        return self._pool.submit(call, *args, quick_call=quick_call, is_slow=is_slow, counts_waiting=waits)

    def _landed(self, key: bytes, job: Job[R], future: asyncio.Future[R]) -> None:
        if self._in_flight.get(key) is job:
            del self._in_flight[key]
        if future.cancelled():
            return
        if (error := future.exception()) is None:
            self._kept.put(key, self._brief(future.result()))
        elif isinstance(error, WorkerKilled):
            self._killed.put(key, True)
