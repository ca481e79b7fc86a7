"""The one thread that runs the model, and how those who wait learn that it ended."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Generic, TypeVar

from reward_server.reward_model.engine import DeviceThreadDied

J = TypeVar("J")
R = TypeVar("R")


class DeviceThread(Generic[J, R]):
    """Runs `work(job)` for one job after another. Anything that `work` raises ends it: a device that failed once may
    give wrong numbers or fail for ever (on CUDA every later call does), and a restart is cheap.

    A daemon thread, so that a hanging kernel cannot keep the process from exiting.
    """

    def __init__(self, work: Callable[[J], R]) -> None:
        self._work = work
        self._jobs: SimpleQueue[tuple[J, asyncio.Future[R]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="reward-model", daemon=True)
        self._death: str | None = "the thread of the reward model was not started"
        self._awaited: set[asyncio.Future[R]] = set()  # touched on the loop only

    @property
    def death(self) -> str | None:
        """Why it does not run; None while it does."""
        return self._death

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begins. `loop`: where those wait who call `run`."""
        self._loop = loop
        self._death = None
        self._thread.start()

    async def stop(self, *, wait_s: float) -> None:
        """Ends the thread after the job that runs, and waits until it has, but no longer than that.

        It may hold the last reference to the model. Tensors that are freed in a thread while the interpreter ends
        abort the process.
        """
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join, wait_s)

    def run(self, job: J) -> asyncio.Future[R]:
        """What `work` makes of the job, after those before it. DeviceThreadDied when the thread ended, before or
        meanwhile."""
        future: asyncio.Future[R] = self._loop.create_future()
        self._awaited.add(future)
        future.add_done_callback(self._awaited.discard)
        self._jobs.put((job, future))
        if self._death is not None:  # looked at last: a thread that dies later finds the future among those awaited
            _fail(future, self._death)
        return future

    def _run(self) -> None:
        death = "the thread of the reward model was stopped"
        try:
            while (entry := self._jobs.get()) is not None:
                job, future = entry
                self._on_loop(_set_result, future, self._work(job))
        except BaseException as error:  # noqa: BLE001 -- whatever ends this thread, who waits for it must learn it
            death = f"the thread of the reward model died of {type(error).__name__}: {error}"
        self._death = death
        self._on_loop(self._bury)

    def _bury(self) -> None:
        """Tells all who wait."""
        # The queue is not asked who they are: a job may have been lost between the queue and the work.
        for future in list(self._awaited):
            if not future.done():
                _fail(future, self._death)

    def _on_loop(self, call: Callable[..., None], *arguments: object) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call, *arguments)


def _fail(future: asyncio.Future[R], death: str | None) -> None:
    future.set_exception(DeviceThreadDied(death))
    future.exception()  # marks it as seen: asyncio reports errors that nobody asked for, and who waited may have gone


def _set_result(future: asyncio.Future[R], done: R) -> None:
    if not future.done():  # whoever waited may have gone
        future.set_result(done)
