"""What fails, or is dropped, costs its own sample only."""

from __future__ import annotations

import asyncio
import logging

import pytest

from reward_server import verdicts
from reward_server.metrics import Metrics
from reward_server.types import Outcome, Verdict
from reward_server.workers.process_pool import Job, ProcessPool


def broken(ground_truth: str, answer: str) -> Verdict:
    if answer == "4":
        raise ZeroDivisionError
    return Verdict(Outcome.INCORRECT, "text", ground_truth, answer)


def test_a_rule_that_raises_is_an_error_of_that_sample(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(verdicts.CHEAP_RULES, "math", broken)
    with caplog.at_level(logging.ERROR):
        outcomes = [verdict and verdict.outcome for verdict in (verdicts.cheaply("math", ("5",), a) for a in "34")]
    assert outcomes == [Outcome.INCORRECT, Outcome.ERROR]
    assert "a rule failed" in caplog.text


def test_a_pair_that_was_dropped_a_moment_ago_is_graded_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its callers had left; who comes back before the loop has cleaned up must not be cancelled with it."""
    jobs: list[Job[Verdict]] = []

    def submit(*_args: object, **_options: object) -> Job[Verdict]:
        jobs.append(Job(broken, broken, (), asyncio.get_running_loop().create_future()))
        return jobs[-1]

    async def come_back() -> list[Verdict]:
        pool = ProcessPool(workers=1, hard_timeout_s=1)
        monkeypatch.setattr(pool, "submit", submit)
        graded = verdicts.Verdicts(pool, soft_timeout_s=1, cache_size=8, metrics=Metrics())
        first = asyncio.create_task(graded.complete([None], [(("4",), "x")]))
        while not jobs:
            await asyncio.sleep(0)
        jobs[0].future.cancel()
        second = asyncio.create_task(graded.complete([None], [(("4",), "x")]))
        while len(jobs) < 2:
            await asyncio.sleep(0)
            assert not second.done()
        jobs[1].future.set_result(Verdict(Outcome.CORRECT, "math_verify", "4", "x"))
        await asyncio.gather(first, return_exceptions=True)
        return await second

    assert [verdict.outcome for verdict in asyncio.run(come_back())] == [Outcome.CORRECT]
