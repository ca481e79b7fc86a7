"""Several jobs at once, their results in order: in threads, or as tasks of an event loop. Knows no HTTP."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

T = TypeVar("T")
Pause = Callable[[float], None]
"""Sleeps so many seconds; raises Stopped when the result is no longer wanted."""


class Stopped(Exception):
    pass


def in_order(jobs: Sequence[Callable[[Pause], T]], at_once: int) -> Iterator[T]:
    """The results of `jobs` in their order, `at_once` of them under way. Raises what the first failed job raised.

    Whoever leaves early (a failure, Ctrl-C, a `break`) does not wait for the others: no further job begins, and a job
    ends at its next pause. The threads are daemons, so that not even the process's end waits.
    """
    if len(jobs) == 1:
        yield jobs[0](time.sleep)
        return
    threads = _Threads(jobs, at_once)
    try:
        yield from _sorted(threads.came.get, len(jobs))
    finally:
        threads.stop.set()


class _Threads(Generic[T]):
    def __init__(self, jobs: Sequence[Callable[[Pause], T]], at_once: int) -> None:
        self.came: SimpleQueue[tuple[int, T] | BaseException] = SimpleQueue()
        self.stop = threading.Event()
        self._todo: SimpleQueue[tuple[int, Callable[[Pause], T]]] = SimpleQueue()
        for numbered in enumerate(jobs):
            self._todo.put(numbered)
        for _ in range(min(at_once, len(jobs))):
            threading.Thread(target=self._work, name="trainer_client", daemon=True).start()

    def _work(self) -> None:
        try:
            while not self.stop.is_set():
                number, job = self._todo.get_nowait()
                self.came.put((number, job(self._pause)))
        except Empty:
            pass
        except BaseException as error:  # noqa: BLE001 - raised where the results are awaited
            self.came.put(error)

    def _pause(self, seconds: float) -> None:
        if self.stop.wait(seconds):
            raise Stopped


def _sorted(get: Callable[[], tuple[int, T] | BaseException], count: int) -> Iterator[T]:
    early: dict[int, T] = {}
    for number in range(count):
        while number not in early:
            result = get()
            if isinstance(result, BaseException):
                raise result
            early[result[0]] = result[1]
        yield early.pop(number)


async def in_order_async(jobs: Sequence[Callable[[], Awaitable[T]]], at_once: int) -> AsyncGenerator[T, None]:
    """As `in_order`; whoever leaves early cancels the others, and waits until they have closed their connections."""
    todo = iter(list(enumerate(jobs)))
    came: asyncio.Queue[tuple[int, T] | Exception] = asyncio.Queue()

    async def work() -> None:
        try:
            for number, job in todo:
                came.put_nowait((number, await job()))
        except Exception as error:  # noqa: BLE001 - raised where the results are awaited
            came.put_nowait(error)

    workers = [asyncio.ensure_future(work()) for _ in range(min(at_once, len(jobs)))]
    early: dict[int, T] = {}
    try:
        for number in range(len(jobs)):
            while number not in early:
                result = await came.get()
                if isinstance(result, Exception):
                    raise result
                early[result[0]] = result[1]
            yield early.pop(number)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
