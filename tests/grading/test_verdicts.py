"""What fails, or is dropped, costs its own sample only."""

from __future__ import annotations

import asyncio
import logging
import tracemalloc
from collections.abc import Awaitable, Callable
from itertools import permutations

import pytest
from running_server import HANG_S

from reward_server.grading import verdicts
from reward_server.processes.job import Job
from reward_server.processes.pool import ProcessPool
from reward_server.types import Outcome, Verdict


def broken(ground_truth: str, answer: str, _ordered: bool) -> Verdict:
    if answer == "4":
        raise ZeroDivisionError
    return Verdict(Outcome.INCORRECT, "text", ground_truth, answer)


def test_a_rule_that_raises_is_an_error_of_that_sample(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(verdicts.CHEAP_RULES, "math", broken)
    with caplog.at_level(logging.ERROR):
        found = [verdicts.judge_at_once("math", verdicts.Pair(("5",), answer)) for answer in "34"]
    outcomes = [isinstance(each, Verdict) and each.outcome for each in found]
    assert outcomes == [Outcome.INCORRECT, Outcome.ERROR]
    assert "a rule failed" in caplog.text


def test_a_pair_that_was_dropped_a_moment_ago_is_graded_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its callers had left; who comes back before the loop has cleaned up must not be cancelled with it."""
    jobs: list[Job[Verdict]] = []

    def submit(*_args: object, **_options: object) -> Job[Verdict]:
        jobs.append(Job(asyncio.get_running_loop().create_future(), broken, broken, ()))
        return jobs[-1]

    async def come_back() -> list[Verdict]:
        pool = ProcessPool(workers=1, hard_timeout_s=1)
        monkeypatch.setattr(pool, "submit", submit)
        graded = verdicts.Verdicts(pool, soft_timeout_s=1, cache_size=8)
        first = asyncio.create_task(graded.complete([verdicts.Pair(("4",), "x")]))
        while not jobs:
            await asyncio.sleep(0)
        jobs[0].future.cancel()
        second = asyncio.create_task(graded.complete([verdicts.Pair(("4",), "x")]))
        while len(jobs) < 2:
            await asyncio.sleep(0)
            assert not second.done()
        jobs[1].future.set_result(Verdict(Outcome.CORRECT, "math_verify", "4", "x"))
        await asyncio.gather(first, return_exceptions=True)
        return await second

    assert [verdict.outcome for verdict in asyncio.run(come_back())] == [Outcome.CORRECT]


TRUTHS = (r"\ln 2", r"\ln 3", r"\ln 4")


def graded_by_hand(
    monkeypatch: pytest.MonkeyPatch, ask: Callable[[verdicts.Verdicts, dict[str, Job[Verdict]]], Awaitable[Verdict]]
) -> Verdict:
    """What `ask` finds where no worker runs: it settles the jobs, by ground truth, itself."""
    jobs: dict[str, Job[Verdict]] = {}

    def submit(_call: object, ground_truth: str, _answer: str, **_options: object) -> Job[Verdict]:
        jobs[ground_truth] = Job(asyncio.get_running_loop().create_future(), broken, broken, ())
        return jobs[ground_truth]

    async def run() -> Verdict:
        pool = ProcessPool(workers=1, hard_timeout_s=1)
        monkeypatch.setattr(pool, "submit", submit)
        return await ask(verdicts.Verdicts(pool, soft_timeout_s=1, cache_size=64), jobs)

    return asyncio.run(run())


@pytest.mark.parametrize("order", [*permutations(range(3))])
@pytest.mark.parametrize("right", [None, 0, 1, 2])
def test_several_ground_truths_have_one_verdict_whatever_order_they_end_in(
    monkeypatch: pytest.MonkeyPatch, order: tuple[int, ...], right: int | None
) -> None:
    others = (Outcome.INCORRECT, Outcome.TIMEOUT, Outcome.UNPARSEABLE)

    async def ask(graded: verdicts.Verdicts, jobs: dict[str, Job[Verdict]]) -> Verdict:
        asked = asyncio.create_task(graded.complete([verdicts.Pair(TRUTHS, "x")]))
        while len(jobs) < len(TRUTHS):  # all are with the workers at once
            await asyncio.sleep(0)
        for place in order:
            outcome = Outcome.CORRECT if place == right else others[place]
            jobs[TRUTHS[place]].future.set_result(Verdict(outcome, "math_verify", "", ""))
            if place == right:  # now, whatever is still with the workers
                await asyncio.wait_for(asyncio.shield(asked), HANG_S)
        return (await asked)[0]

    wanted = Outcome.TIMEOUT if right is None else Outcome.CORRECT
    assert graded_by_hand(monkeypatch, ask) == Verdict(
        wanted, "math_verify", TRUTHS[1 if right is None else right], "x"
    )


def test_a_right_ground_truth_does_not_wait_for_a_slow_one_which_others_still_get(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def ask(graded: verdicts.Verdicts, jobs: dict[str, Job[Verdict]]) -> Verdict:
        both = asyncio.create_task(graded.complete([verdicts.Pair(TRUTHS[:2], "x")]))
        slow_only = asyncio.create_task(graded.complete([verdicts.Pair(TRUTHS[:1], "x")]))
        while len(jobs) < 2:
            await asyncio.sleep(0)
        jobs[TRUTHS[1]].future.set_result(Verdict(Outcome.CORRECT, "math_verify", "", ""))
        (verdict,) = await both
        assert not slow_only.done()
        assert jobs[TRUTHS[0]].callers == 1
        jobs[TRUTHS[0]].future.set_result(Verdict(Outcome.INCORRECT, "math_verify", "", ""))
        assert (await slow_only)[0].outcome is Outcome.INCORRECT
        return verdict

    assert graded_by_hand(monkeypatch, ask).outcome is Outcome.CORRECT


def test_what_is_kept_does_not_grow_with_the_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs, chars = 50, 10_000

    async def ask(graded: verdicts.Verdicts, jobs: dict[str, Job[Verdict]]) -> Verdict:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(pairs):
            truth = f"{number}" + "x" * chars
            asked = asyncio.create_task(graded.complete([verdicts.Pair((truth,), "y" * 1000)]))
            while truth not in jobs:
                await asyncio.sleep(0)
            jobs.pop(truth).future.set_result(Verdict(Outcome.INCORRECT, "math_verify", truth, "y" * 1000))
            (verdict,) = await asked
        del truth, asked
        assert tracemalloc.get_traced_memory()[0] - before < pairs * 1000  # with the texts: 50 times 11,000
        return verdict

    tracemalloc.start()
    try:
        assert graded_by_hand(monkeypatch, ask).outcome is Outcome.INCORRECT
    finally:
        tracemalloc.stop()
