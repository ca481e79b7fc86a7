"""A grader or a judge as a second opinion: a measurement, so it never holds up the reward for long, nor makes it null.

One attempt, of at most `reference_timeout_s` with the time in its queue. After failures in a row it is left alone for
a while (`kit/breaker.py`): the samples of that time have no opinion. What is kept is known all the same.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter

from reward_server.checks.events import CheckEvents
from reward_server.checks.http import NoAnswer
from reward_server.checks.question import CheckFailed, Finding, Question
from reward_server.checks.remote_check import RemoteRunner
from reward_server.checks.spec import GraderCheck, JudgeCheck
from reward_server.kit.breaker import PAUSE_S, Breaker
from reward_server.kit.shared_calls import CallersLeft, SharedCalls

log = logging.getLogger(__name__)
RESULTS = ("given", "failed", "paused")
"""`failed`: asked in vain. `paused`: not asked, since it failed before."""


class NotAsked(CheckFailed):
    """It is left alone: the log said so when that began."""


class SecondOpinions:
    """Asks one endpoint. `close()` ends what still runs; the runner must be open until then."""

    def __init__(self, check: GraderCheck | JudgeCheck, runner: RemoteRunner, events: CheckEvents) -> None:
        self._name = check.name
        self._limit_s = check.opinion_limit_s
        self._runner = runner
        self._endpoint = runner.endpoint.tried_once(self._limit_s)
        self._events = events
        self._calls: SharedCalls[tuple[bytes, Question], Finding] = SharedCalls(
            self._first_asked, max_in_flight=check.max_in_flight, limit=0
        )
        self._breaker = Breaker()
        self._problem = ""
        self.counts: Counter[str] = Counter(dict.fromkeys(RESULTS, 0))
        """Since the start, by `RESULTS`."""

    def state(self) -> dict[str, object]:
        """What a person wants to know of it."""
        left_s = max(0.0, self._breaker.next_at - time.monotonic())
        alone = (
            f"not asked for {left_s:.0f} s more: it failed {self._breaker.failures} times in a row ({self._problem})"
        )
        return {**self.counts, "now": alone if self._breaker.is_open else "asked"}

    def known(self, key: bytes) -> Finding | None:
        """What is kept."""
        finding = self._runner.known(key)
        if finding is not None:
            self._count("given")
        return finding

    @property
    def wait_s(self) -> float:
        """Its queue holds nobody up."""
        return 0.0

    async def ask(self, key: bytes, question: Question) -> Finding:
        """What the endpoint says. Raises CheckFailed, which is NotAsked where it is left alone."""
        try:
            async with asyncio.timeout(self._limit_s):
                finding = await self._calls.answer(key, (key, question))
        except NotAsked:
            self._count("paused")
            raise
        except CheckFailed:
            self._count("failed")
            raise
        except (CallersLeft, TimeoutError):
            self._count("failed")
            raise CheckFailed(f"no answer within {self._limit_s:g} s, its queue included") from None
        self._count("given")
        return finding

    async def ask_again(self, key: bytes, question: Question) -> Finding:
        """The same, whatever is kept. Raises CheckFailed."""
        return await self._runner.ask_again(key, question)

    async def close(self) -> None:
        """Ends what runs."""
        await self._calls.close()

    async def _first_asked(self, keyed: tuple[bytes, Question], _queue_s: float) -> Finding:
        key, question = keyed
        was_open = self._breaker.is_open
        if not self._breaker.admits(time.monotonic()):
            raise NotAsked(f"it was not asked, since it failed {self._breaker.failures} times in a row", self._problem)
        try:
            finding = await self._runner.first_asked(key, question, self._endpoint)
        except CheckFailed as error:
            self._failed(error)
            if was_open:
                raise NotAsked(error.problem, error.detail) from None  # no line in the log for each pause
            raise
        if self._breaker.is_open:
            log.warning("check %s answers again as a second opinion", self._name)
        self._breaker.succeeded()
        self._runner.put(key, finding)
        return finding

    def _failed(self, error: CheckFailed) -> None:
        was_open, self._problem = self._breaker.is_open, error.problem
        self._breaker.failed(time.monotonic(), is_silent=isinstance(error, NoAnswer))
        if self._breaker.is_open and not was_open:
            log.warning(
                "check %s failed %d times in a row as a second opinion (%s): it is now asked once in %g s until it"
                " answers. Samples have no opinion meanwhile, and no reward depends on it",
                *(self._name, self._breaker.failures, self._problem, PAUSE_S),
            )

    def _count(self, result: str) -> None:
        self.counts[result] += 1
        self._events.on_opinion(self._name, result)
