"""Grades the answers of a request: by the rules, by Math-Verify in the workers, by checks of one's own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from msgspec.structs import replace

from reward_server.checks.checks import Checks
from reward_server.counting.metrics import Metrics
from reward_server.grading.reading import Check, Reading, read
from reward_server.grading.verdicts import Pair, Verdicts, judge_at_once, pair_of
from reward_server.processes.pool import ProcessPool
from reward_server.rewards.flip import both_right
from reward_server.rewards.plan import Plan
from reward_server.steps import Steps, Times
from reward_server.types import Outcome, Sample, Verdict
from reward_server.work import size_of

log = logging.getLogger(__name__)
WORK_OF_A_CHAR = 16
"""A character of an answer or a ground truth costs as much work as so many others: it may be a member of a list."""


class AnswerGrader:
    """Gives verdicts, one a sample, in order; None for a sample that is not asked about."""

    def __init__(
        self,
        steps: Steps,
        verdicts: Verdicts,
        pool: ProcessPool,
        checks: Checks,
        metrics: Metrics,
        opinion_limit_s: float,
    ) -> None:
        """`opinion_limit_s`: so long second opinions are waited for."""
        self._opinion_limit_s = opinion_limit_s
        self._steps = steps
        self._verdicts = verdicts
        self._pool = pool
        self._checks = checks
        self._metrics = metrics

    def wait_s(self, check: Check) -> float:
        """How long the queue is that the check needs."""
        return self._pool.estimated_wait_s if check == "math" else self._checks.wait_s(check)

    async def verdicts(
        self,
        check: Check,
        plan: Plan,
        samples: list[Sample],
        readings: list[Reading],
        size: int,
        times: Times = None,
        *,
        is_opinion: bool = False,
    ) -> Sequence[Verdict]:
        """What `check` says of each sample. `size`: as `size_of`. `is_opinion`: no reward depends on it."""
        if check in self._checks:
            asked_for = self._checks.grade(check, samples, readings, is_opinion=is_opinion)
            verdicts = await self._steps.timed("grade", times, asked_for)
            self._metrics.count_tiers(verdicts)
            return verdicts
        asked = [pair_of(*row, plan.needs.ordered) for row in zip(samples, readings, strict=True)]
        size += WORK_OF_A_CHAR * sum([each.size for each in asked if isinstance(each, Pair)])
        judged = await self._steps.run("judge", times, size, _judged, check, asked)
        return await self._steps.timed("grade", times, self._verdicts.complete(judged))

    async def wrong_verdicts(
        self,
        check: Check,
        plan: Plan,
        samples: list[Sample],
        readings: list[Reading],
        true: Sequence[Verdict | None],
    ) -> Sequence[Verdict | None]:
        """Against the wrong ground truth, for those that are paid by it. `true`: against the true one."""
        rows = [row for row, sample in enumerate(samples) if plan.reward.mislabels(sample)]
        if not rows:
            return [None] * len(samples)
        wrong = [replace(samples[row], ground_truths=samples[row].wrong_ground_truths) for row in rows]
        graded = await self.verdicts(check, plan, wrong, [readings[row] for row in rows], size_of(wrong))
        if right := sum(both_right(true[row], verdict) for row, verdict in zip(rows, graded, strict=True)):
            log.warning("%s: %d of %d wrong labels are met by the right answer", plan.name, right, len(rows))
        return _spread(graded, rows, len(samples))

    async def opinions(
        self, check: Check, plan: Plan, samples: list[Sample], readings: list[Reading]
    ) -> Sequence[Verdict | None]:
        """The second opinion, of those samples that are chosen. It may fail, and no reward fails with it."""
        rows = plan.reward.refers(samples, [reading.text for reading in readings])
        if not rows:
            return [None] * len(samples)
        chosen, needs = [samples[row] for row in rows], plan.needs
        size, limit_s = size_of(chosen), self._opinion_limit_s
        graded: Sequence[Verdict]
        try:
            texts, place = [sample.completion for sample in chosen], needs.reference_place or needs.place
            asked = await self._steps.run("extract", None, size, read, texts, check, place, needs.turn)
            async with asyncio.timeout(limit_s):
                graded = await self.verdicts(check, plan, chosen, asked, size, is_opinion=True)
        except TimeoutError:
            log.warning("%d second opinions of %s took over %g s: there are none", len(rows), check, limit_s)
            graded = [Verdict(Outcome.TIMEOUT, "error", "", "")] * len(rows)
        except Exception:
            log.exception("the second opinion failed; rewards do not depend on it")
            graded = [Verdict(Outcome.ERROR, "error", "", "")] * len(rows)
        return _spread(graded, rows, len(samples))


def _judged(check: Check, asked: Sequence[Pair | Verdict]) -> list[Pair | Verdict]:
    return [each if isinstance(each, Verdict) else judge_at_once(check, each) for each in asked]


def _spread(graded: Sequence[Verdict], rows: Sequence[int], number: int) -> list[Verdict | None]:
    """The verdicts at their rows among so many samples."""
    verdicts: list[Verdict | None] = [None] * number
    for row, verdict in zip(rows, graded, strict=True):
        verdicts[row] = verdict
    return verdicts
