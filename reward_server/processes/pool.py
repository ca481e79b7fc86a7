"""Worker processes that may hang, bloat or die without taking anything else along.

A job that runs past the hard limit, counted in wall time from its dispatch and never from its queueing, is killed with
its worker (SIGKILL: a multiplication of huge integers is one C call that nothing else interrupts). One that hardly
used the CPU until then is not to blame, the machine is: it is tried once more, as is a job that raises, or whose worker
dies without our kill. `lanes.py` says which job runs next, `place.py` keeps the workers' places filled. The pool knows
nothing about what it runs.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from reward_server.processes.budget import Unfinished
from reward_server.processes.job import NO_EVENTS, Job, PoolEvents, WorkerDied, WorkerKilled
from reward_server.processes.lanes import Lane, Lanes
from reward_server.processes.place import Place
from reward_server.processes.worker_process import WorkerLost, WorkerProcess

R = TypeVar("R")

QUICK_SHARE = 1 / 40
"""What a job gets of its CPU seconds in the quick lane, through its `quick_call`. Most need 5 to 20 ms of 2 s."""

QUICK_WALL_SHARE = 1 / 8
"""What it gets of the hard limit there. More, since a kill costs a new worker, and a busy machine is no reason."""

BUSY_SHARE = 0.4
"""A job that used the CPU for less of its time than this was waiting for the machine. With the default budgets one that
used more is past its CPU budget too, and does not react: it hangs."""

START_LIMIT_S = 120.0
"""Wall seconds until a new worker has to be warm, which takes a few: one that hangs would keep its place empty."""


class ProcessPool:
    """Open it with `async with pool.running(warm_up)`; `submit` then queues a job, whose `result` is awaited.

    The workers live from then on; with `at_once=False` they do from the first `start()`, which must come before a job.
    """

    def __init__(self, *, workers: int, hard_timeout_s: float, events: PoolEvents = NO_EVENTS) -> None:
        self._events = events
        self._workers = workers
        self._hard_timeout_s = hard_timeout_s
        self._places: list[Place] = []
        self._idle: list[Place] = []
        self._is_closing = False
        self._lanes: Lanes[Job[Any]] = Lanes(workers)
        self._running: set[asyncio.Task[None]] = set()
        self._keepers: list[asyncio.Task[None]] = []
        self._starting = asyncio.Lock()

    @property
    def living_workers(self) -> int:
        """Workers that are alive and warm."""
        return sum(place.is_filled for place in self._places)

    @property
    def problem(self) -> Exception | None:
        """Why no worker can be started; None while one lives, or is on its way up for the first time."""
        problems = [place.problem for place in self._places if not place.is_filled]
        return problems[0] if len(problems) == len(self._places) and all(problems) else None

    @property
    def queued(self) -> int:
        """Jobs that wait for a worker, in both lanes."""
        return len(self._lanes.quick.waiting) + len(self._lanes.slow.waiting)

    @property
    def queued_slow(self) -> int:
        """Those of them that did not end within their slice."""
        return len(self._lanes.slow.waiting)

    @property
    def estimated_wait_s(self) -> float:
        """Seconds until a job queued now would start. The slow lane does not count: it holds up only its own."""
        return self._lanes.quick.estimated_wait_s

    @asynccontextmanager
    async def running(
        self, warm_up: Callable[..., object], *args: object, at_once: bool = True
    ) -> AsyncIterator[ProcessPool]:
        """Starts the workers, calls `warm_up(*args)` in each, and ends them at exit."""
        self._warm_up = (warm_up, args)
        self._places = [Place(self._started, self._events.on_death) for _ in range(self._workers)]
        if at_once:
            await self.start()
        try:
            yield self
        finally:
            self._is_closing = True
            for task in (*self._running, *self._keepers):
                task.cancel()
            await asyncio.gather(*self._running, *self._keepers, return_exceptions=True)
            await asyncio.gather(*(place.end() for place in self._places))

    async def start(self) -> None:
        """Starts the workers, unless they were started. Raises whatever keeps one from coming up."""
        if self._keepers:
            return
        async with self._starting:
            if not self._keepers:
                await asyncio.gather(*(place.fill() for place in self._places))
                self._idle = list(self._places)
                self._keepers = [asyncio.create_task(place.keep()) for place in self._places]

    def submit(
        self,
        call: Callable[..., R],
        *args: object,
        quick_call: Callable[..., R] | None = None,
        is_slow: bool = False,
        counts_waiting: bool = False,
    ) -> Job[R]:
        """Queues `call(*args)`; all must pickle, and the call's module must be light.

        Awaiting the job raises what the call raises, WorkerKilled or WorkerDied; CancelledError for a dropped job.

        `quick_call` is what the quick lane runs instead: the same with less of a budget, raising Unfinished where that
        is not enough. `is_slow` sends a job that is known for it straight to the slow lane. `counts_waiting`: as
        in Job.
        """
        job: Job[R] = Job(asyncio.get_running_loop().create_future(), call, quick_call or call, args, counts_waiting)
        self._lanes.add(job, is_slow=is_slow)
        self._dispatch()
        return job

    def _dispatch(self) -> None:
        """Starts whatever may start now."""
        while (lane := self._lanes.next_lane(now := time.monotonic())) is not None:
            if lane.waiting[0].is_abandoned(now):
                self._events.on_drop()
                self._lanes.drop(lane).future.cancel()
                continue
            job = self._lanes.start(lane)
            task = asyncio.get_running_loop().create_task(self._run(job, lane))
            self._running.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not self._is_closing:
            self._dispatch()

    async def _run(self, job: Job[Any], lane: Lane[Job[Any]]) -> None:
        started = time.monotonic()
        self._events.on_queued(started - job.queued_at)
        is_sliced = self._lanes.has_slices and lane is self._lanes.quick
        call, seconds = (
            (job.quick_call, self._hard_timeout_s * QUICK_WALL_SHARE) if is_sliced else (job.call, self._hard_timeout_s)
        )
        try:
            job.future.set_result(await self._attempt(call, job, seconds))
        except asyncio.CancelledError:
            job.future.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - whatever the call raised belongs to its callers
            if is_sliced and isinstance(error, Unfinished | WorkerKilled):
                self._demote(job)
            else:
                job.fail(error)
        finally:
            now = time.monotonic()
            self._lanes.end(lane, now - started, now)
        self._events.on_run(now - started)

    def _demote(self, job: Job[Any]) -> None:
        self._events.on_demote()
        job.queued_at = time.monotonic()
        self._lanes.add(job, is_slow=True)

    async def _attempt(self, call: Callable[..., R], job: Job[R], limit_s: float) -> R:
        for is_last in (False, True):
            place = self._free_place()
            try:
                return await self._within(limit_s, await place.worker(), call, job)
            except WorkerKilled as error:
                self._events.on_kill()
                if not error.is_machine or limit_s < self._hard_timeout_s:  # the slow lane is the second try
                    raise
            except WorkerLost:
                self._events.on_death()
            except Unfinished:
                raise
            except Exception:
                if is_last:  # whatever the call raises belongs to its callers, but not because of one bad moment
                    raise
            finally:
                await self._give_back(place)
        raise WorkerDied("twice the worker died, or the machine did not let it run")

    def _free_place(self) -> Place:
        """One that is filled, if there is one: the next worker may take a second to come up."""
        place = next((place for place in reversed(self._idle) if place.is_filled), self._idle[-1])
        self._idle.remove(place)
        return place

    async def _give_back(self, place: Place) -> None:
        if not self._is_closing:
            await place.decided()
        self._idle.append(place)

    async def _within(self, limit_s: float, worker: WorkerProcess, call: Callable[..., R], job: Job[R]) -> R:
        """The call's result within `limit_s`; a job that hardly ran until then goes on until the hard limit."""
        ends_at = time.monotonic() + self._hard_timeout_s
        measured = worker.starved_seconds if job.counts_waiting else worker.cpu_seconds
        began, before = time.monotonic(), measured()
        running = asyncio.ensure_future(worker.run(call, job.args))
        try:
            while True:
                await asyncio.wait({running}, timeout=limit_s)
                if running.done():
                    return running.result()
                used_s = measured() - before
                busy_s = time.monotonic() - began - used_s if job.counts_waiting else used_s
                is_machine = busy_s < BUSY_SHARE * limit_s
                if not is_machine or time.monotonic() >= ends_at:
                    raise WorkerKilled(f"no result after {limit_s:g} s; the worker was killed", is_machine)
        finally:
            if not running.done():
                running.cancel()
                await asyncio.wait({running})

    async def _started(self) -> WorkerProcess:
        """A new worker, warm. Raises whatever keeps it from coming up."""
        for _ in range(2):
            try:
                return await self._start()
            except WorkerLost:  # killed from outside while it started, or stopped
                self._events.on_death()
        return await self._start()

    async def _start(self) -> WorkerProcess:
        try:
            async with asyncio.timeout(START_LIMIT_S):
                return await WorkerProcess.start(*self._warm_up)
        except TimeoutError:
            raise WorkerLost(f"the process was not ready within {START_LIMIT_S:g} s; it was ended") from None
