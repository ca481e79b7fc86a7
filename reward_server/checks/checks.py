"""All checks of one server at work: the Scorer's way to them."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from reward_server.checks.events import CheckEvents
from reward_server.checks.python_check import PythonRunner
from reward_server.checks.remote_check import RemoteRunner
from reward_server.checks.running_check import RunningCheck
from reward_server.checks.second_opinion import SecondOpinions
from reward_server.checks.spec import AnyCheck, PythonCheck
from reward_server.checks.trials import refuse_failed, trials
from reward_server.checks.worker import Target
from reward_server.errors import InvalidRequest
from reward_server.grading.reading import Reading
from reward_server.processes.pool import ProcessPool
from reward_server.settings import Settings
from reward_server.types import Sample, Verdict

log = logging.getLogger(__name__)
BEGUN_AT_ONCE = 128
"""So many samples are begun before others have their turn on the event loop."""


class Checks:
    """The checks of `[checks]`, by name. Open it with `async with checks.running(pool)`."""

    def __init__(self, checks: Mapping[str, AnyCheck], settings: Settings, events: CheckEvents) -> None:
        self._checks = checks
        self._settings = settings
        self._events = events
        self._running: dict[str, RunningCheck] = {}
        self._opinions: dict[str, SecondOpinions] = {}
        self._second: dict[str, RunningCheck] = {}
        self._are_tried = False

    def __contains__(self, name: object) -> bool:
        return name in self._checks

    @property
    def targets(self) -> tuple[Target, ...]:
        """What the workers have to load."""
        return tuple(check.target for check in self._checks.values() if isinstance(check, PythonCheck))

    async def try_out(self) -> None:
        """Runs the examples, once in the life of this. Raises BadCheck for the first that does not come out."""
        if not self._are_tried:
            for check in self._checks.values():
                refuse_failed(await trials(check, self._settings))
            self._are_tried = True

    @asynccontextmanager
    async def running(self, pool: ProcessPool) -> AsyncIterator[None]:
        """Opens the connections. Raises CommandError for a key or a folder that is not to be had."""
        async with AsyncExitStack() as stack:
            for name, check in self._checks.items():
                runner = await self._runner(check, pool, stack)
                self._running[name] = self._second[name] = RunningCheck(check, runner, self._events)
                stack.push_async_callback(self._running[name].close)
                if isinstance(runner, RemoteRunner) and not isinstance(check, PythonCheck):
                    opinions = self._opinions[name] = SecondOpinions(check, runner, self._events)
                    self._second[name] = RunningCheck(check, opinions, self._events)
                    stack.push_async_callback(opinions.close)
                    stack.push_async_callback(self._second[name].close)
            yield

    def refuse_incomplete(self, name: str, samples: Sequence[Sample], rows: Sequence[int]) -> None:
        """Raises InvalidRequest where a sample lacks the prompt that the check reads. `rows`: their numbers."""
        if name in self._checks and self._checks[name].wants_prompt:
            for row, sample in zip(rows, samples, strict=True):
                if sample.prompt is None:
                    raise InvalidRequest(f"check={name} reads the prompt: row {row} has none")

    def wait_s(self, name: str) -> float:
        """Seconds until a question asked now would be begun; 0 for a check that is none of these."""
        return self._running[name].runner.wait_s if name in self._running else 0.0

    def opinions(self, name: str) -> dict[str, object] | None:
        """How a grader or judge does as a second opinion; None for any other check."""
        return self._opinions[name].state() if name in self._opinions else None

    async def grade(
        self, name: str, samples: Sequence[Sample], readings: Sequence[Reading], *, is_opinion: bool = False
    ) -> list[Verdict]:
        """The verdict of each sample, in order; a failure is `error`, and the log says why and of how many.

        `is_opinion`: no reward depends on it, so a grader or judge is not waited for long.
        """
        check, problems = (self._second if is_opinion else self._running)[name], list[str]()
        tasks: list[asyncio.Task[Verdict]] = []
        try:
            for sample, reading in zip(samples, readings, strict=True):
                tasks.append(asyncio.create_task(check.verdict(sample, reading, problems)))
                if len(tasks) % BEGUN_AT_ONCE == 0:
                    await asyncio.sleep(0)
            return await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()  # does nothing to what has ended
            for problem, number in Counter(problems).items():
                log.warning("check %s failed %d times in %d samples: %s", name, number, len(samples), problem)

    async def _runner(self, check: AnyCheck, pool: ProcessPool, stack: AsyncExitStack) -> PythonRunner | RemoteRunner:
        settings, size = self._settings, self._settings.verdict_cache_size
        if isinstance(check, PythonCheck):
            return PythonRunner(check, pool, self._events, soft_timeout_s=settings.soft_timeout_s, cache_size=size)
        timeout_s = settings.request_timeout_s
        opened = RemoteRunner.opened(check, self._events, cache_size=size, request_timeout_s=timeout_s)
        return await stack.enter_async_context(opened)
