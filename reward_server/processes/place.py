"""A place in the pool that does not stay empty: when its worker is gone, however it went, a new one is started.

Nobody has to ask for that. What keeps a new one from coming up is told to the job that waits for it, and tried again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from reward_server.processes.worker_process import WorkerProcess

log = logging.getLogger(__name__)

RESTART_PAUSE_S = 1.0
"""After a worker that could not be started: a lasting reason must not cost all of the CPU. Doubled each time."""
MAX_RESTART_PAUSE_S = 8.0


class Place:
    """Where one worker stands. Its owner awaits `fill()` once and runs `keep()` as a task."""

    def __init__(self, start: Callable[[], Awaitable[WorkerProcess]], on_death: Callable[[], object]) -> None:
        """`start` returns a warm worker; `on_death` is called for one that died while it had no job."""
        self._start = start
        self._on_death = on_death
        self._next: asyncio.Future[WorkerProcess] = asyncio.get_running_loop().create_future()
        self.problem: Exception | None = None
        """What kept the last one from coming up; None once one did."""

    @property
    def is_filled(self) -> bool:
        """True while a worker lives here."""
        return self._next.done() and self._next.result().is_alive

    async def worker(self) -> WorkerProcess:
        """The worker, as soon as there is one. Raises whatever keeps the next one from coming up."""
        self._renew()
        return await asyncio.shield(self._next)

    async def decided(self) -> None:
        """Returns when a worker is here, or could not be started: a job's own time begins with one that is warm."""
        self._renew()
        if self.problem is None:
            await asyncio.wait({self._next})

    async def fill(self) -> None:
        """Starts the first worker. Raises whatever keeps it from coming up."""
        self._next.set_result(await self._start())

    async def keep(self) -> None:
        """Puts a new worker in the place of each one that is gone, until this is cancelled."""
        while True:
            worker = self._next.result()
            await worker.gone()
            if not worker.is_ended:
                self._on_death()
            self._renew()
            await self._refill()

    async def end(self) -> None:
        """Ends the worker. `keep()` must have been cancelled before."""
        if self._next.done():
            await self._next.result().end()

    def _renew(self) -> None:
        """Whoever first sees that the worker is gone makes room for the next."""
        if self._next.done() and not self._next.result().is_alive:
            self._next = asyncio.get_running_loop().create_future()

    async def _refill(self) -> None:
        pause_s = RESTART_PAUSE_S
        while not self._next.done():
            try:
                self._next.set_result(await self._start())
                self.problem = None
            except Exception as error:  # whatever it was, the place must not be lost: nobody else would fill it
                log.exception("a worker could not be started; it is tried again in %g s", pause_s)
                self.problem = error
                failed, self._next = self._next, asyncio.get_running_loop().create_future()
                failed.set_exception(error)
                failed.exception()  # marks it as seen: perhaps no job waits for it
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, MAX_RESTART_PAUSE_S)
