"""A grader or a judge at work: so many questions at a time, equal ones once, and a judge's verdicts in its folder."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from reward_server.checks.events import CheckEvents
from reward_server.checks.grader import grader_says
from reward_server.checks.http import Endpoint
from reward_server.checks.judge import judge_says
from reward_server.checks.kept_verdicts import KeptVerdicts
from reward_server.checks.question import CheckFailed, Finding, Question
from reward_server.checks.spec import GraderCheck, JudgeCheck
from reward_server.kit.rate import Rate
from reward_server.kit.shared_calls import CallersLeft, SharedCalls
from reward_server.settings import secret_in

GIVE_UP_SHARE = 0.75
"""Of `request_timeout_s`: a question that is not answered by then costs its own sample, and not the request."""


class RemoteRunner:
    """Asks one endpoint. Open it with `async with RemoteRunner.opened(...)`."""

    def __init__(
        self, check: GraderCheck | JudgeCheck, endpoint: Endpoint, events: CheckEvents, *, cache_size: int
    ) -> None:
        self._check = check
        self.endpoint = endpoint
        self._events = events
        self._calls: SharedCalls[tuple[bytes, Question], Finding] = SharedCalls(
            self._asked_first, max_in_flight=check.max_in_flight, limit=cache_size
        )
        folder = check.kept_in if isinstance(check, JudgeCheck) else None
        self._verdicts = None if folder is None else KeptVerdicts(folder / check.digest)
        self._seconds = Rate(keep=0.95)

    @classmethod
    @asynccontextmanager
    async def opened(
        cls, check: GraderCheck | JudgeCheck, events: CheckEvents, *, cache_size: int, request_timeout_s: float
    ) -> AsyncIterator[RemoteRunner]:
        """Raises CommandError where the key or the folder is not to be had."""
        key = None if check.api_key_env is None else secret_in(check.api_key_env)
        give_up_s = GIVE_UP_SHARE * request_timeout_s
        in_flight, timeout_s = check.max_in_flight, check.timeout_s
        async with Endpoint.opened(
            url_of(check), key=key, max_in_flight=in_flight, timeout_s=timeout_s, give_up_s=give_up_s
        ) as endpoint:
            runner = cls(check, endpoint, events, cache_size=cache_size)
            try:
                yield runner
            finally:
                await runner._close()

    @property
    def wait_s(self) -> float:
        """Seconds until a question asked now would be begun; 0 before the first one was answered."""
        return self._calls.queued * self._seconds.value / self._check.max_in_flight

    def known(self, key: bytes) -> Finding | None:
        """What is kept."""
        finding = self._calls.known(key)
        if finding is not None:
            self._events.on_lookup("hit")
        return finding

    async def ask(self, key: bytes, question: Question) -> Finding:
        """What the endpoint says. Raises CheckFailed."""
        self._events.on_lookup("joined" if self._calls.is_asked(key) else "miss")
        try:
            return await self._calls.answer(key, (key, question))
        except CallersLeft as error:
            raise CheckFailed(str(error)) from None

    async def ask_again(self, key: bytes, question: Question) -> Finding:
        """The same, whatever is kept. Raises CheckFailed."""
        return await self._asked(key, question, self.endpoint)

    async def first_asked(self, key: bytes, question: Question, endpoint: Endpoint) -> Finding:
        """What the folder holds, or else what the endpoint says, which the folder then holds. Raises CheckFailed."""
        if self._verdicts is None:
            return await self._asked(key, question, endpoint)
        kept = await asyncio.to_thread(self._verdicts.find, key)
        if kept is not None:
            return kept
        finding = await self._asked(key, question, endpoint)
        return await asyncio.to_thread(self._verdicts.keep, key, finding)

    def put(self, key: bytes, finding: Finding) -> None:
        """Keeps what was found out elsewhere."""
        self._calls.put(key, finding)

    async def _close(self) -> None:
        await self._calls.close()
        if self._verdicts is not None:
            self._verdicts.close()

    async def _asked_first(self, keyed: tuple[bytes, Question], _queue_s: float) -> Finding:
        return await self.first_asked(*keyed, self.endpoint)

    async def _asked(self, key: bytes, question: Question, endpoint: Endpoint) -> Finding:
        started = time.monotonic()
        try:
            if isinstance(self._check, JudgeCheck):
                return await judge_says(endpoint, self._check, question, key)
            return await grader_says(endpoint, question, key)
        finally:
            self._seconds.add(time.monotonic() - started, 1)


def url_of(check: GraderCheck | JudgeCheck) -> str:
    """What is POSTed to."""
    return f"{check.url.rstrip('/')}/chat/completions" if isinstance(check, JudgeCheck) else check.url
