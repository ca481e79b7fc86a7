"""Calls to a remote server: so many at a time, the same question once, and none for callers that left."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Generic, TypeVar

from reward_server.kit.kept import Kept
from reward_server.kit.shared import Shared

Q = TypeVar("Q")
V = TypeVar("V")


class CallersLeft(Exception):
    """The question was not asked: whoever wanted to know had left before."""


class SharedCalls(Generic[Q, V]):
    """`ask(question, queue_s)`: the answer to a question that waited so long. `limit`: answers kept.

    `max_in_flight`: calls at a time, so that the backlog waits here. `weigh`: what a question adds to `queued`.
    """

    def __init__(
        self,
        ask: Callable[[Q, float], Awaitable[V]],
        *,
        max_in_flight: int,
        limit: int,
        weigh: Callable[[Q], int] = lambda question: 1,
    ) -> None:
        self._ask = ask
        self._weigh = weigh
        self._room = asyncio.Semaphore(max_in_flight)
        self._finished: Kept[bytes, V] = Kept(limit)
        self._unfinished: dict[bytes, Shared[V]] = {}
        self._tasks: set[asyncio.Task[V]] = set()
        self.queued = 0
        """The weight of the questions that wait for room."""

    def known(self, key: bytes) -> V | None:
        """The answer that is kept under the key."""
        return self._finished.get(key)

    def is_asked(self, key: bytes) -> bool:
        """True while the question is on its way, so that `answer` joins it."""
        return key in self._unfinished

    def put(self, key: bytes, value: V) -> None:
        """Keeps an answer that was found elsewhere."""
        self._finished.put(key, value)

    async def answer(self, key: bytes, question: Q) -> V:
        """The answer, kept or new. Raises what `ask` raises, and CallersLeft."""
        finished = self._finished.get(key)
        if finished is not None:
            return finished
        call = self._unfinished.get(key) or self._start(key, question)
        return await call.result()

    async def close(self) -> None:
        """Ends what runs."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, key: bytes, question: Q) -> Shared[V]:
        task = asyncio.create_task(self._run(key, question))
        self._tasks.add(task)
        call = self._unfinished[key] = Shared(task)
        task.add_done_callback(partial(self._finish, key, call))
        return call

    async def _run(self, key: bytes, question: Q) -> V:
        arrived, weight = time.monotonic(), self._weigh(question)
        self.queued += weight
        try:
            await self._room.acquire()
        finally:
            self.queued -= weight
        try:
            started = time.monotonic()
            if self._unfinished[key].is_abandoned(started):
                del self._unfinished[key]  # at once: whoever asks from now on must not get this call
                raise CallersLeft("dropped: its callers left")
            return await self._ask(question, started - arrived)
        finally:
            self._room.release()

    def _finish(self, key: bytes, call: Shared[V], task: asyncio.Task[V]) -> None:
        self._tasks.discard(task)
        if self._unfinished.get(key) is call:
            del self._unfinished[key]
        if not task.cancelled() and task.exception() is None:  # which marks an error as seen: all may have left
            self._finished.put(key, task.result())
