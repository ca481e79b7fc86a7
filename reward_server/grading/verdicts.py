"""Verdicts for many samples: cheap rules here, Math-Verify in the worker pool, each question asked once.

A GRPO group repeats its answers, so verdicts are kept by (ground truth, answer), and a pair that is being graded is
awaited rather than graded again. Kept: verdicts and soft timeouts. Never kept: hard kills and errors, which say more
about the machine than about the answer; but a pair that was killed is graded in the slow lane from then on.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b

from msgspec import Struct

from reward_server.grading.box_row import answer_for
from reward_server.grading.math_verify_tier import judge_with_math_verify
from reward_server.grading.reading import Check, Reading
from reward_server.grading.tiers import judge_cheaply, judge_string
from reward_server.processes.job import WorkerDied, WorkerKilled
from reward_server.processes.kept_jobs import KeptJobs
from reward_server.processes.pool import QUICK_SHARE, ProcessPool
from reward_server.types import JsonTruth, Outcome, Sample, Verdict

log = logging.getLogger(__name__)
CHEAP_RULES: dict[Check, Callable[[str, str, bool], Verdict | None]] = {
    "math": judge_cheaply,
    "string": lambda ground_truth, answer, _: judge_string(ground_truth, answer),
}
PRECEDENCE = (
    *(Outcome.CORRECT, Outcome.ERROR, Outcome.TIMEOUT, Outcome.PARTIAL),
    *(Outcome.INCORRECT, Outcome.UNPARSEABLE),
)
"""Of several ground truths any one may match; failing that, what the sample's outcome is."""


class Pair(Struct, frozen=True, gc=False):
    """Ground truths, at least one, and an answer that is not blank. `row`: see `box_row`. `ordered`: see `tiers`."""

    ground_truths: tuple[str, ...]
    answer: str
    row: str | None = None
    ordered: bool = False

    @property
    def asked(self) -> list[tuple[str, str]]:
        """Each ground truth with what is compared with it."""
        return [(truth, answer_for(truth, self.answer, self.row)) for truth in self.ground_truths]

    @property
    def size(self) -> int:
        """Characters of all its texts."""
        return sum(map(len, self.ground_truths)) + len(self.answer) + len(self.row or "")


Finding = tuple[Outcome, str]
"""Outcome and tier: what is kept of a verdict, so that the memory of 65,536 does not depend on the texts' length."""
AT_ONCE = 16
"""So many of one sample's ground truths are with the workers. The others wait, and one that is right ends it."""

NO_GROUND_TRUTH = Verdict(Outcome.UNGRADABLE, "ground_truth", "", "")
NO_ANSWER = Verdict(Outcome.UNANSWERED, "box", "", "")


def _ignore(_seen: object) -> None:
    """For whoever does not count."""


@dataclass(frozen=True, slots=True)
class VerdictEvents:
    """What is told to whoever counts: `hit`, `joined` or `miss` a pair, and the verdicts of each request."""

    on_lookup: Callable[[str], None] = _ignore
    on_verdicts: Callable[[Sequence[Verdict]], None] = _ignore


class Verdicts:
    """Grades (ground truths, answer) pairs; owns the cache of verdicts and what is in flight."""

    def __init__(
        self, pool: ProcessPool, *, soft_timeout_s: float, cache_size: int, events: VerdictEvents | None = None
    ) -> None:
        self._pool = pool
        # Together no more than the budget, and the same for an answer that never was in the quick lane.
        self._judge = partial(judge_with_math_verify, soft_timeout_s=soft_timeout_s * (1 - QUICK_SHARE))
        self._judge_quickly = partial(
            judge_with_math_verify, soft_timeout_s=soft_timeout_s * QUICK_SHARE, is_whole_budget=False
        )
        self._events = events or VerdictEvents()
        self._jobs: KeptJobs[Verdict, Finding] = KeptJobs(pool, cache_size, _finding, self._events.on_lookup)

    async def complete(self, judged: Sequence[Verdict | Pair]) -> list[Verdict]:
        """What `judge_at_once` decided, and Math-Verify's verdicts of the pairs that it left, in order."""
        verdicts = [each for each in judged if isinstance(each, Verdict)]
        if len(verdicts) < len(judged):
            await self._pool.start()  # a command starts them here, a server did when it came up
            left = [pair for pair in judged if isinstance(pair, Pair)]
            graded = iter(await asyncio.gather(*map(self._any_of, left)))
            verdicts = [each if isinstance(each, Verdict) else next(graded) for each in judged]
        self._events.on_verdicts(verdicts)
        return verdicts

    async def _any_of(self, pair: Pair) -> Verdict:
        asked, ordered = pair.asked, pair.ordered
        if len(asked) == 1:  # by far the commonest, and `judge_at_once` had no rule for it
            return await self._math_verify(*asked[0], ordered)
        room = asyncio.Semaphore(AT_ONCE)

        async def graded(truth: str, given: str) -> Verdict:
            async with room:
                return await self._math_verify(truth, given, ordered)

        ruled = [_ruled("math", *each, ordered) for each in asked]
        return await first_right([verdict or graded(*each) for verdict, each in zip(ruled, asked, strict=True)])

    async def _math_verify(self, ground_truth: str, answer: str, ordered: bool) -> Verdict:
        outcome, tier = await self._kept_or_graded(ground_truth, answer, ordered)
        return Verdict(outcome, tier, ground_truth, answer)

    async def _kept_or_graded(self, ground_truth: str, answer: str, ordered: bool) -> Finding:
        key = _key(ground_truth, answer, ordered)
        known = self._jobs.known(key)
        if known is not None:
            return known
        judge, quickly = (partial(call, ordered=ordered) for call in (self._judge, self._judge_quickly))
        try:
            return await self._jobs.result(key, judge, quickly, ground_truth, answer)
        except WorkerKilled:
            return Outcome.TIMEOUT, "killed"
        except WorkerDied:
            log.error("a verifier worker died twice on one answer; the sample has no reward")
        except Exception:
            log.exception("grading failed; the sample has no reward")
        return Outcome.ERROR, "error"


def pair_of(sample: Sample, reading: Reading, ordered: bool) -> Pair | Verdict:
    """What is asked about one sample; a verdict where nothing can be. What its label says of the order wins."""
    if not sample.ground_truths or isinstance(sample.ground_truths[0], JsonTruth):
        return NO_GROUND_TRUTH
    if reading.answer is None or not reading.is_answered:
        return NO_ANSWER
    is_ordered = ordered if sample.ordered is None else sample.ordered
    return Pair(sample.ground_truths, reading.answer.text, reading.answer.row, is_ordered)


def judge_at_once(check: Check, pair: Pair) -> Verdict | Pair:
    """What needs no worker; the pair itself where Math-Verify must decide."""
    if len(pair.ground_truths) == 1:  # by far the commonest, in a third of the time
        (truth,) = pair.ground_truths
        return _ruled(check, truth, answer_for(truth, pair.answer, pair.row), pair.ordered) or pair
    verdicts = [_ruled(check, truth, answer, pair.ordered) for truth, answer in pair.asked]
    settled = [verdict for verdict in verdicts if verdict is not None]
    if len(settled) == len(verdicts) or any(verdict.outcome is Outcome.CORRECT for verdict in settled):
        return best(settled)
    return pair


def _ruled(check: Check, ground_truth: str, answer: str, ordered: bool) -> Verdict | None:
    try:
        return CHEAP_RULES[check](ground_truth, answer, ordered)
    except Exception:  # a bug in one rule must not fail the other samples of the request
        log.exception("a rule failed; the sample has no reward")
        return Verdict(Outcome.ERROR, "error", ground_truth, answer)


def best(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict of several ground truths: the first in PRECEDENCE, of partial ones the greatest; ungradable only when
    all are."""
    return min(verdicts, key=lambda each: ((*PRECEDENCE, each.outcome).index(each.outcome), -(each.clean or 0)))


async def first_right(verdicts: Sequence[Verdict | Coroutine[None, None, Verdict]]) -> Verdict:
    """As `best`, without waiting for the rest once one is right: no other verdict can change that."""
    tasks = [asyncio.ensure_future(verdict) for verdict in verdicts if not isinstance(verdict, Verdict)]
    try:
        for task in asyncio.as_completed(tasks):
            if (verdict := await task).outcome is Outcome.CORRECT:
                return verdict
        graded = iter(tasks)
        return best(verdict if isinstance(verdict, Verdict) else next(graded).result() for verdict in verdicts)
    finally:
        for left in tasks:
            left.cancel()  # does nothing to what has ended; whoever else waits for the same pair still gets it


def _finding(verdict: Verdict) -> Finding:
    return verdict.outcome, sys.intern(verdict.tier)


def _key(ground_truth: str, answer: str, ordered: bool) -> bytes:
    """A digest, so that the cache's memory does not depend on the texts' length."""
    text = f"{'ordered ' * ordered}{len(ground_truth)}\0{ground_truth}\0{answer}"
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
