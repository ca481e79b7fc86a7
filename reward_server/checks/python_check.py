"""A Python check at work: each question is a job of a pool of workers, in which no mathematics is graded."""

from __future__ import annotations

from collections.abc import Awaitable
from functools import partial

from reward_server.checks.events import CheckEvents
from reward_server.checks.question import CheckFailed, Finding, Question
from reward_server.checks.spec import PythonCheck
from reward_server.checks.worker import grade
from reward_server.processes.job import Job, WorkerDied, WorkerKilled
from reward_server.processes.kept_jobs import KeptJobs
from reward_server.processes.pool import QUICK_SHARE, ProcessPool
from reward_server.types import Outcome

KILLED = Finding(Outcome.TIMEOUT, None, "it did not end within hard_timeout_s; its process was killed")


class PythonRunner:
    """Asks one function. Its verdicts are kept, and equal questions at once are one job."""

    def __init__(
        self, check: PythonCheck, pool: ProcessPool, events: CheckEvents, *, soft_timeout_s: float, cache_size: int
    ) -> None:
        self._pool = pool
        # Together no more than the budget, and the same for an answer that never was in the quick lane.
        self._call = partial(grade, check.target, soft_timeout_s=soft_timeout_s * (1 - QUICK_SHARE))
        self._quick_call = partial(
            grade, check.target, soft_timeout_s=soft_timeout_s * QUICK_SHARE, is_whole_budget=False
        )
        self._jobs: KeptJobs[Finding, Finding] = KeptJobs(
            pool, cache_size, lambda finding: finding, events.on_lookup, counts_waiting=True
        )

    @property
    def wait_s(self) -> float:
        """Seconds until a question asked now would be begun."""
        return self._pool.estimated_wait_s

    def known(self, key: bytes) -> Finding | None:
        """What is kept."""
        return self._jobs.known(key)

    async def ask(self, key: bytes, question: Question) -> Finding:
        """What the function says. Raises CheckFailed."""
        await self._pool.start()  # a command starts the workers here, a server did when it came up
        calls = self._call, self._quick_call
        return await _said(self._jobs.result(key, *calls, question.answer, question.ground_truth))

    async def ask_again(self, key: bytes, question: Question) -> Finding:
        """The same in a job of its own. Raises CheckFailed."""
        calls = self._call, self._quick_call
        job: Job[Finding] = self._jobs.submitted(key, *calls, question.answer, question.ground_truth)
        return await _said(job.result())


async def _said(result: Awaitable[Finding]) -> Finding:
    try:
        return await result
    except WorkerKilled:
        return KILLED
    except WorkerDied as error:
        raise CheckFailed("its process died twice on one answer, or the machine did not let it run") from error
