"""The samples of one request on their way to scores, what is known of them so far, and the pure steps at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Sequence
from typing import Any, TypeVar, TypeVarTuple, Unpack

from reward_server.grading.reading import Reading, read
from reward_server.rewards.found import Derivation, Found, Joined
from reward_server.rewards.plan import Plan
from reward_server.rewards.reasoning import Rpr
from reward_server.steps import Times
from reward_server.types import Outcome, Sample, Score

R = TypeVar("R")
Args = TypeVarTuple("Args")
CHARS_A_SAMPLE = 256
"""Fixed cost of a sample, in characters of work. Each ground truth costs as much again."""


class Work:
    """Samples with what was found out about them: a question that several parts of a reward ask is asked once."""

    __slots__ = ("_known", "_plan", "is_parallel", "samples", "size", "times")

    def __init__(self, plan: Plan, samples: list[Sample], times: Times) -> None:
        """`plan`: of the whole request."""
        self.samples = samples
        self.times = times
        self.size = size_of(samples)
        self.is_parallel = plan.is_parallel
        self._plan = plan
        self._known: dict[Hashable, Any] = {}

    def of(self, rows: Sequence[int]) -> Work:
        """The same of some of the samples; of all of them itself."""
        if len(rows) == len(self.samples):
            return self
        return Work(self._plan, [self.samples[row] for row in rows], self.times)

    def once(
        self, question: Hashable, ask: Callable[[Unpack[Args]], Awaitable[R]], *args: Unpack[Args]
    ) -> Awaitable[R]:
        """What `ask` answers, or what it answered to the same question. Without parts nobody asks twice."""
        return self._once(question, ask, *args) if self._plan.parts else ask(*args)

    async def _once(self, question: Hashable, ask: Callable[[Unpack[Args]], Awaitable[R]], *args: Unpack[Args]) -> R:
        """Parts that ask side by side find what one has asked under way."""
        if question not in self._known:
            asked = ask(*args)
            self._known[question] = asyncio.ensure_future(asked) if self.is_parallel else await asked
        answer = self._known[question]
        found: R = await answer if self.is_parallel else answer
        return found


async def one_by_one(several: Sequence[Coroutine[Any, Any, R]]) -> list[R]:
    """What each comes to, in order. What ends one ends all."""
    left = iter(several)
    try:
        return [await each for each in left]
    finally:
        for each in left:
            each.close()


async def all_of(several: Sequence[Coroutine[Any, Any, R]]) -> list[R]:
    """The same, side by side: for what waits for others, as a reward model, workers, and graders of one's own."""
    tasks = [asyncio.ensure_future(each) for each in several]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


def size_of(samples: Sequence[Sample]) -> int:
    """The work on them, in characters."""
    return sum([len(each.completion) + CHARS_A_SAMPLE * (1 + len(each.ground_truths or ())) for each in samples])


def rprs_of(plan: Plan, readings: Sequence[Reading]) -> list[Rpr]:
    """RPR of each completion."""
    return [plan.rpr(reading.text) for reading in readings]


def settled(plan: Plan, samples: Sequence[Sample], found: Sequence[Found]) -> list[Derivation]:
    """The derivation of each sample."""
    return [_derivation(plan, *row) for row in zip(samples, found, strict=True)]


def joined(samples: Sequence[Sample], parts: Sequence[dict[str, Derivation]]) -> list[Joined]:
    """What is known of each sample of a reward that is made of others."""
    return [Joined(_reading(*row), parts=row[1]) for row in zip(samples, parts, strict=True)]


def _reading(sample: Sample, parts: dict[str, Derivation]) -> Reading:
    """That of the first part that was asked."""
    first = next(iter(parts.values()), None)
    return read([sample.completion], None)[0] if first is None else first.found.reading


def _derivation(plan: Plan, sample: Sample, found: Found) -> Derivation:
    score = plan.reward.settle(sample, found)
    if plan.parts or not sample.is_lost:
        return Derivation(found, score)
    # nothing is known of what the policy wrote: what was found is about an empty text
    return Derivation(Found(found.reading), Score(Outcome.ERROR, None, shown=None, parts=dict.fromkeys(score.parts)))
