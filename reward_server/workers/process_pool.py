"""Worker processes that may hang, bloat or die without taking anything else along.

One runner task a worker; each takes the oldest job, sends it to an anyio worker process and waits. A job that runs
past the hard limit, counted from its dispatch and never from its queueing, is killed with its worker (SIGKILL: a
multiplication of huge integers is one C call that nothing else interrupts). A job that raises, or whose worker dies
without our kill, is tried once more. The pool knows nothing about what it runs.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import anyio
import anyio.to_process
from anyio import BrokenWorkerProcess, CapacityLimiter

R = TypeVar("R")


ABANDONED_GRACE_S = 5.0
"""A caller that timed out and asks again within this time finds its work still queued."""


def _nothing(*_seconds: float) -> None:
    """The event that nobody listens to."""


class WorkerKilled(Exception):
    """The job ran past the hard limit; its worker was killed."""


class WorkerDied(Exception):
    """The job's worker died twice without our kill."""


@dataclass(eq=False)
class Job(Generic[R]):
    """One call, queued or running. Awaited by any number of callers through `ProcessPool.result`."""

    call: Callable[..., R]
    args: tuple[object, ...]
    future: asyncio.Future[R]
    queued_at: float = field(default_factory=time.perf_counter)
    waiters: int = 0
    abandoned_at: float | None = None

    def is_abandoned(self, now: float) -> bool:
        """True when every caller left longer than the grace ago."""
        return self.waiters == 0 and self.abandoned_at is not None and now - self.abandoned_at > ABANDONED_GRACE_S


@dataclass(frozen=True)
class PoolEvents:
    """Called when something happens to a job or a worker; seconds where a duration belongs to it."""

    on_queued: Callable[[float], object] = _nothing
    on_run: Callable[[float], object] = _nothing
    on_kill: Callable[[], object] = _nothing
    on_death: Callable[[], object] = _nothing
    on_drop: Callable[[], object] = _nothing


class ProcessPool:
    """Open it with `async with pool.running(warm_up)`; `submit` then queues a job and `result` awaits it."""

    def __init__(self, *, workers: int, hard_timeout_s: float, events: PoolEvents = PoolEvents()) -> None:
        self._events = events
        self._workers = workers
        self._hard_timeout_s = hard_timeout_s
        self._limiter = CapacityLimiter(workers)
        self._queue: deque[Job[Any]] = deque()
        self._filled = asyncio.Semaphore(0)
        self._seconds_a_job = 0.01

    @property
    def queued(self) -> int:
        """Jobs that wait for a worker."""
        return len(self._queue)

    @property
    def estimated_wait_s(self) -> float:
        """Seconds until a job queued now would start, from the measured rate."""
        return self.queued * self._seconds_a_job / self._workers

    @asynccontextmanager
    async def running(self, warm_up: Callable[..., object], *args: object) -> AsyncIterator[ProcessPool]:
        """Starts the workers, calls `warm_up(*args)` in each, and ends them at exit."""
        self._warm_up = (warm_up, args)
        # All at once: each call finds no idle worker and starts its own.
        await asyncio.gather(*(self._start_worker() for _ in range(self._workers)))
        runners = [asyncio.create_task(self._runner()) for _ in range(self._workers)]
        try:
            yield self
        finally:
            for runner in runners:
                runner.cancel()
            await asyncio.gather(*runners, return_exceptions=True)

    def submit(self, call: Callable[..., R], *args: object) -> Job[R]:
        """Queues `call(*args)`; both must pickle, and the call's module must be light."""
        job: Job[R] = Job(call, args, asyncio.get_running_loop().create_future())
        self._queue.append(job)
        self._filled.release()
        return job

    async def result(self, job: Job[R]) -> R:
        """What the call returned or raised; WorkerKilled, WorkerDied; CancelledError when the job was dropped."""
        job.waiters += 1
        try:
            return await asyncio.shield(job.future)
        finally:
            job.waiters -= 1
            if job.waiters == 0:
                job.abandoned_at = time.perf_counter()

    async def _runner(self) -> None:
        while True:
            await self._filled.acquire()
            job = self._queue.popleft()
            if job.is_abandoned(time.perf_counter()):
                self._events.on_drop()
                job.future.cancel()
                continue
            await self._run(job)

    async def _run(self, job: Job[Any]) -> None:
        started = time.perf_counter()
        self._events.on_queued(started - job.queued_at)
        try:
            job.future.set_result(await self._attempt(job))
        except asyncio.CancelledError:
            job.future.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - whatever the call raised belongs to its callers
            job.future.set_exception(error)
            job.future.exception()  # marks it as seen: every caller may have left
        took = time.perf_counter() - started
        self._events.on_run(took)
        self._seconds_a_job += 0.05 * (took - self._seconds_a_job)

    async def _attempt(self, job: Job[R]) -> R:
        for is_last in (False, True):
            try:
                with anyio.fail_after(self._hard_timeout_s):
                    return await self._in_worker(job.call, job.args)
            except TimeoutError:
                self._events.on_kill()
                await self._start_worker()
                raise WorkerKilled(f"no result after {self._hard_timeout_s:g} s; the worker was killed") from None
            except BrokenWorkerProcess:
                self._events.on_death()
                await self._start_worker()
            except Exception:
                if is_last:  # whatever the call raises belongs to its callers, but not because of one bad moment
                    raise
        raise WorkerDied("the worker died twice on this job")

    async def _start_worker(self) -> None:
        """Warms a worker up outside any job's time: its imports take most of a second."""
        call, args = self._warm_up
        for _ in range(3):
            try:
                await self._in_worker(call, args)
                return
            except BrokenWorkerProcess:  # killed from outside while it started
                self._events.on_death()

    async def _in_worker(self, call: Callable[..., R], args: tuple[object, ...]) -> R:
        return await anyio.to_process.run_sync(call, *args, cancellable=True, limiter=self._limiter)
