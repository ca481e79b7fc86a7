"""Calls to a remote engine: so many at a time, the same sample once, and none for callers that left."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeAlias

from reward_server.kit.kept import Kept
from reward_server.kit.shared import Shared
from reward_server.reward_model.engine import EngineUnavailable, TokenIds
from reward_server.reward_model.sample_key import KEPT_SCORES, sample_key

Ask: TypeAlias = "Callable[[TokenIds[int], float], Awaitable[float]]"
"""`ask(ids, queue_s)`: the score of the text `ids` [T], which waited so long. May raise any EngineError."""


class SharedCalls:
    """`max_in_flight`: calls at a time, so that the backlog waits here. `queued_tokens`: of the texts that wait."""

    def __init__(self, ask: Ask, *, max_in_flight: int) -> None:
        self._ask = ask
        self._room = asyncio.Semaphore(max_in_flight)
        self._finished: Kept[bytes, float] = Kept(KEPT_SCORES)
        self._unfinished: dict[bytes, Shared[float]] = {}
        self._tasks: set[asyncio.Task[float]] = set()
        self.queued_tokens = 0

    async def score(self, ids: TokenIds[int]) -> float:
        """The score of the text `ids` [T]. Raises what `ask` raises."""
        key = sample_key(TokenIds("i"), ids, "deterministic")
        finished = self._finished.get(key)
        if finished is not None:
            return finished
        call = self._unfinished.get(key) or self._start(key, ids)
        return await call.result()

    async def close(self) -> None:
        """Ends what runs."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, key: bytes, ids: TokenIds[int]) -> Shared[float]:
        task = asyncio.create_task(self._run(key, ids))
        self._tasks.add(task)
        call = self._unfinished[key] = Shared(task)
        task.add_done_callback(partial(self._finish, key, call))
        return call

    async def _run(self, key: bytes, ids: TokenIds[int]) -> float:
        arrived = time.monotonic()
        self.queued_tokens += len(ids)
        try:
            await self._room.acquire()
        finally:
            self.queued_tokens -= len(ids)
        try:
            started = time.monotonic()
            if self._unfinished[key].is_abandoned(started):
                del self._unfinished[key]  # at once: whoever asks from now on must not get this call
                raise EngineUnavailable("dropped: its callers left")
            return await self._ask(ids, started - arrived)
        finally:
            self._room.release()

    def _finish(self, key: bytes, call: Shared[float], task: asyncio.Task[float]) -> None:
        self._tasks.discard(task)
        if self._unfinished.get(key) is call:
            del self._unfinished[key]
        if not task.cancelled() and task.exception() is None:  # which marks an error as seen: all may have left
            self._finished.put(key, task.result())
