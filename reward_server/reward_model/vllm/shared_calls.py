"""Calls to a remote engine: so many at a time, the same sample once, and none for callers that left."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from reward_server.reward_model.engine import EngineUnavailable, Result, TokenIds
from reward_server.reward_model.kept_scores import KeptScores, sample_key
from reward_server.reward_model.local.schedule import GRACE_S

Ask: TypeAlias = "Callable[[TokenIds[int], float], Awaitable[Result]]"
"""`ask(ids, queue_s)`: the result of the text `ids` [T], which waited so long. May raise EngineUnavailable."""


@dataclass(eq=False, slots=True)
class _Call:
    callers: int = 0
    abandoned: float | None = None
    is_dropped: bool = False
    task: asyncio.Task[Result | EngineUnavailable] = field(init=False)


class SharedCalls:
    """`max_in_flight`: calls at a time, so that the backlog waits here. `queued_tokens`: of the texts that wait."""

    def __init__(self, ask: Ask, *, max_in_flight: int, kept_scores: int = 65_536) -> None:
        self._ask = ask
        self._room = asyncio.Semaphore(max_in_flight)
        self._kept = KeptScores(kept_scores)
        self._running: dict[bytes, _Call] = {}
        self.queued_tokens = 0

    async def score(self, ids: TokenIds[int]) -> Result:
        """The result of the text `ids` [T]. Raises EngineUnavailable."""
        key = sample_key(TokenIds("i"), ids, "deterministic")
        kept = self._kept.get(key)
        if kept is not None:
            return kept
        call = self._running.get(key)
        if call is None or call.is_dropped:
            call = self._start(key, ids)
        call.callers += 1
        try:
            # shielded: others may wait for the same sample, and whoever leaves may come back for it
            result = await asyncio.shield(call.task)
        finally:
            call.callers -= 1
            call.abandoned = None if call.callers else time.monotonic()
        if isinstance(result, EngineUnavailable):
            raise result
        return result

    async def close(self) -> None:
        """Ends what runs."""
        tasks = [call.task for call in self._running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self, key: bytes, ids: TokenIds[int]) -> _Call:
        call = self._running[key] = _Call()
        call.task = asyncio.create_task(self._run(call, ids))
        call.task.add_done_callback(lambda task: self._finish(key, call, task))
        return call

    async def _run(self, call: _Call, ids: TokenIds[int]) -> Result | EngineUnavailable:
        arrived = time.monotonic()
        self.queued_tokens += len(ids)
        try:
            await self._room.acquire()
        finally:
            self.queued_tokens -= len(ids)
        try:
            started = time.monotonic()
            if call.callers == 0 and call.abandoned is not None and started - call.abandoned > GRACE_S:
                call.is_dropped = True
                return EngineUnavailable("dropped: its callers left")
            return await self._ask(ids, started - arrived)
        except EngineUnavailable as error:
            return error
        finally:
            self._room.release()

    def _finish(self, key: bytes, call: _Call, task: asyncio.Task[Result | EngineUnavailable]) -> None:
        if self._running.get(key) is call:
            del self._running[key]
        if not task.cancelled() and task.exception() is None and isinstance(result := task.result(), float):
            self._kept.put(key, result)
