"""Load that does not wait: requests leave at a given rate, whatever becomes of those before.

Seconds count from when a request was due, so that a client that falls behind does not hide what callers wait.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from benchmarks.answers import native, ordinary
from benchmarks.wire import Answer, Connection

SAMPLES = 8
"""Of one request: a group."""
CALLERS = 8
"""At a time, where the capacity is measured."""
PATIENCE_S = 30.0
"""A caller that waited so long is gone."""


@dataclass(frozen=True)
class Fate:
    """What became of one request. `kind`: answered, refused (503), gave_up, failed (anything else), wrong.

    `due_at`: when it should have left, by `time.perf_counter()`; `seconds` from then to its end.
    """

    kind: str
    due_at: float
    seconds: float


class Requests:
    """Groups of 8 answers that only a worker can grade, no two the same in the life of a server."""

    def __init__(self, variable: str = "x") -> None:
        self._next = 0
        self._variable = variable

    def body(self) -> bytes:
        """The next group."""
        self._next += SAMPLES
        numbers = range(self._next - SAMPLES, self._next)
        return json.dumps(native(ordinary(k, self._variable) for k in numbers)).encode()


def judge(answer: Answer, rewards: list[float]) -> str:
    """The kind of an answer that should hold these rewards."""
    if answer.status == 200:
        return "answered" if answer.json()["rewards"] == rewards else "wrong"
    is_refusal = answer.status == 503 and int(answer.headers.get("retry-after", 0)) >= 1
    return "refused" if is_refusal else "failed"


class Load:
    """Sends to one path of one server over connections that are kept alive, or each request on its own.

    Every `body()` has as many samples, which must all get the same reward.
    """

    def __init__(
        self,
        url: str,
        path: str,
        body: Callable[[], bytes],
        *,
        samples: int = SAMPLES,
        reward: float = 1.0,
        is_fresh: bool = False,
    ) -> None:
        self._url, self._path, self._body, self._is_fresh = url, path, body, is_fresh
        self._rewards = [reward] * samples
        self._free: list[Connection] = []

    async def one(self, due_at: float | None = None) -> Fate:
        """One request; due now by default."""
        connection = self._free.pop() if self._free else Connection(self._url)
        if connection.is_closed:
            connection.close()
        due_at = time.perf_counter() if due_at is None else due_at
        try:
            async with asyncio.timeout(PATIENCE_S):
                answer = await connection.post(self._path, self._body())
        except TimeoutError:
            connection.close()
            return Fate("gave_up", due_at, PATIENCE_S)
        except (OSError, EOFError):
            connection.close()
            return Fate("failed", due_at, time.perf_counter() - due_at)
        if self._is_fresh:
            connection.close()
        else:
            self._free.append(connection)
        return Fate(judge(answer, self._rewards), due_at, time.perf_counter() - due_at)

    def close(self) -> None:
        """Closes the connections that are free."""
        while self._free:
            self._free.pop().close()

    async def at_rate(self, requests_a_second: float, seconds: float) -> list[Fate]:
        """All fates, once the last one is known."""
        tasks: list[asyncio.Task[Fate]] = []
        begin = time.perf_counter()
        for number in range(int(requests_a_second * seconds)):
            due_at = begin + number / requests_a_second
            delay = due_at - time.perf_counter()
            if delay > 0:
                await asyncio.sleep(delay)
            tasks.append(_started(self.one(due_at)))
        return await asyncio.gather(*tasks)

    async def capacity(self, seconds: float, callers: int = CALLERS) -> float:
        """Requests a second that a few callers get answered who each wait for their answer."""
        end = time.perf_counter() + seconds

        async def call() -> list[Fate]:
            fates = []
            while time.perf_counter() < end:
                fates.append(await self.one())
            return fates

        fates = [fate for of in await asyncio.gather(*(call() for _ in range(callers))) for fate in of]
        if any(fate.kind != "answered" for fate in fates):
            raise AssertionError("a request failed below capacity: the figures would mean nothing")
        return sum(fate.due_at + fate.seconds <= end for fate in fates) / seconds


def _started(coroutine: Coroutine[Any, Any, Fate]) -> asyncio.Task[Fate]:
    return asyncio.get_running_loop().create_task(coroutine)
