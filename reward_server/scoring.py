"""The Scorer runs each step where it belongs, and gives one Score a sample, in order.

Small work is done on the event loop, large work in one thread, Math-Verify in processes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from time import perf_counter
from typing import TypeVar, TypeVarTuple, Unpack

from reward_server.admission import Admission
from reward_server.errors import InvalidRequest, Unavailable
from reward_server.grading.process import prepare_worker
from reward_server.grading.reading import Check, Reading, read, repairs
from reward_server.grading.verdicts import Pair, VerdictEvents, Verdicts, judge_at_once, pair_of
from reward_server.metrics import Metrics
from reward_server.processes.job import PoolEvents
from reward_server.processes.pool import ProcessPool
from reward_server.reward_model.request import ModelRequest
from reward_server.reward_model.slot import ModelSlot
from reward_server.reward_model.token_limit import TokenLimit
from reward_server.rewards.found import Derivation, Found, Needs
from reward_server.rewards.plan import Plan
from reward_server.rewards.reasoning import Rpr
from reward_server.settings import Settings
from reward_server.types import Outcome, Sample, Score, Verdict

R = TypeVar("R")
Args = TypeVarTuple("Args")
log = logging.getLogger(__name__)
Times = dict[str, float] | None
"""Receives milliseconds per step."""
INLINE_CHARS = 65_536
"""More text than this is worked on in the thread: on the loop it would hold up everybody for milliseconds."""
CHARS_A_SAMPLE = 256
"""Fixed cost of a sample, in characters of work. Each ground truth costs as much again."""
WORK_OF_A_CHAR = 16
"""A character of an answer or a ground truth costs as much work as so many others: it may be a member of a list."""


class Scorer:
    """Scores samples; owns the workers and the reward model. Open it with `async with scorer.running()`."""

    def __init__(self, settings: Settings, metrics: Metrics, count_requests: Callable[[], int] = lambda: 0) -> None:
        """`count_requests`: as for Admission."""
        self._settings = settings
        self.model_slot = ModelSlot(settings, metrics.count_model_batch)
        self._token_limit = TokenLimit(settings.rm_max_queued_tokens)
        self._metrics = metrics
        events = PoolEvents(
            on_queued=metrics.stage_seconds["queue"].observe,
            on_run=metrics.stage_seconds["verify"].observe,
            on_demote=metrics.demoted.inc,
            on_kill=metrics.worker_kills.inc,
            on_death=metrics.worker_deaths.inc,
            on_drop=metrics.dropped.inc,
        )
        self._pool = ProcessPool(
            workers=settings.verifier_workers, hard_timeout_s=settings.hard_timeout_s, events=events
        )
        self._verdicts = Verdicts(
            self._pool,
            soft_timeout_s=settings.soft_timeout_s,
            cache_size=settings.verdict_cache_size,
            events=VerdictEvents(on_lookup=metrics.count_lookup, on_verdicts=metrics.count_tiers),
        )
        self.admission = Admission(
            max_pending_samples=settings.max_pending_samples,
            max_pending_bytes=settings.max_pending_mb * 2**20,
            max_wait_s=settings.request_timeout_s,
            count_requests=count_requests,
        )
        self._export_gauges()

    @asynccontextmanager
    async def running(self, *, workers_at_once: bool = True) -> AsyncIterator[None]:
        """Starts the worker processes, the thread, and the loading of the model; ends them at exit.

        The workers can wait for the first answer that needs one: each takes seconds to start, and most answers do not.
        """
        with ThreadPoolExecutor(1, thread_name_prefix="rewards") as self._thread:
            async with (
                self._pool.running(prepare_worker, self._settings.worker_memory_mb, at_once=workers_at_once),
                self.model_slot.filling(),
            ):
                yield

    async def derive(self, plan: Plan, samples: list[Sample], times: Times = None) -> list[Derivation]:
        """The derivation of each sample, in order; `times` receives milliseconds per step.

        Raises InvalidRequest, TooLarge, NoRewardModel, Unavailable; a sample that cannot be scored raises nothing.
        """
        needs, request = plan.needs, self._model_request(plan.needs)
        _refuse_incomplete(plan, samples)
        if request is not None:
            request.admit()
        with self.admission.admit(len(samples), self._wait_s(needs)):
            size, nothing = _size(samples), [None] * len(samples)
            texts = [sample.completion for sample in samples]
            readings = await self.run("extract", times, size, read, texts, needs.check, needs.place, needs.turn)
            verdicts = await self._grade(needs.check, plan, samples, readings, times) if needs.check else nothing
            wrongs = await self._grade_mislabelled(needs.check, plan, samples, readings) if needs.check else nothing
            rprs = await self.run("rpr", times, size, _rprs, plan, readings)
            asked = request.ask(samples, [reading.text for reading in readings]) if request else None
            answers = await self._timed("model", times, asked) if asked else nothing
            found = [Found(*row) for row in zip(readings, verdicts, rprs, answers, wrongs, strict=True)]
            return await self.run(None, None, size * plan.reward.work_of_a_char, self._settled, plan, samples, found)

    def check_ready(self) -> None:
        """Raises Loading or Unavailable with the reason while not all rewards can be scored."""
        if (problem := self._pool.problem) is not None:
            raise Unavailable(f"no worker for Math-Verify can be started ({problem}); it is tried again")
        self.model_slot.check_ready()

    def check_room(self, plan: Plan) -> None:
        """Raises Overloaded where a request would be refused whatever it holds."""
        self.admission.check(1, self._wait_s(plan.needs))

    def _wait_s(self, needs: Needs) -> float:
        """How long the queue is that the reward needs."""
        if needs.model is not None:
            return self.model_slot.wait_s
        return self._pool.estimated_wait_s if needs.check == "math" else 0.0

    def _model_request(self, needs: Needs) -> ModelRequest | None:
        """Raises NoRewardModel, Loading or Unavailable where the reward asks a model that is not there."""
        return ModelRequest(self.model_slot.model, needs.model, self._token_limit) if needs.model else None

    async def run(
        self, stage: str | None, times: Times, size: int, work: Callable[[Unpack[Args]], R], *args: Unpack[Args]
    ) -> R:
        """Runs pure work on `size` characters: small work here, large work in the thread. `stage`: it is timed as."""
        started = perf_counter()
        if size <= INLINE_CHARS:
            result = work(*args)
        else:
            result = await asyncio.get_running_loop().run_in_executor(self._thread, work, *args)
        if stage is not None:
            self._took(stage, times, started)
        return result

    async def _grade(
        self, check: Check, plan: Plan, samples: list[Sample], readings: list[Reading], times: Times
    ) -> list[Verdict]:
        asked = [pair_of(*row, plan.needs.ordered) for row in zip(samples, readings, strict=True)]
        pairs = [pair for pair in asked if isinstance(pair, Pair)]
        texts = (text for pair in pairs for text in (*pair.ground_truths, pair.answer, pair.row or ""))
        size = _size(samples) + sum(WORK_OF_A_CHAR * len(text) for text in texts)
        judged = await self.run("judge", times, size, _judged, check, asked)
        return await self._timed("grade", times, self._verdicts.complete(judged))

    async def _grade_mislabelled(
        self, check: Check, plan: Plan, samples: list[Sample], readings: list[Reading]
    ) -> Sequence[Verdict | None]:
        """Against the wrong ground truth, for those that are paid by it."""
        rows = [row for row, sample in enumerate(samples) if plan.reward.mislabels(sample)]
        verdicts: list[Verdict | None] = [None] * len(samples)
        if rows:
            wrong = [replace(samples[row], ground_truths=samples[row].wrong_ground_truths) for row in rows]
            graded = await self._grade(check, plan, wrong, [readings[row] for row in rows], None)
            for row, verdict in zip(rows, graded, strict=True):
                verdicts[row] = verdict
        return verdicts

    async def _timed(self, stage: str, times: Times, work: Awaitable[R]) -> R:
        started = perf_counter()
        result = await work
        self._took(stage, times, started)
        return result

    def _took(self, stage: str, times: Times, started: float) -> None:
        seconds = perf_counter() - started
        self._metrics.stage_seconds[stage].observe(seconds)
        if times is not None:
            times[stage] = round(seconds * 1000, 3)

    def _settled(self, plan: Plan, samples: list[Sample], found: list[Found]) -> list[Derivation]:
        derivations = [_derivation(plan, *row) for row in zip(samples, found, strict=True)]
        self._count(plan, samples, derivations)
        return derivations

    def _count(self, plan: Plan, samples: list[Sample], derivations: list[Derivation]) -> None:
        metrics = self._metrics
        metrics.count_samples(plan, samples, derivations)
        metrics.escapes_eaten.inc(sum([derivation.found.reading.has_eaten_escape for derivation in derivations]))
        metrics.repaired.inc(sum([bool(repairs(sample.ground_truths, plan.needs.check)) for sample in samples]))
        if plan.needs.model is not None:
            metrics.count_model_scores([derivation.score.parts for derivation in derivations])
        self._count_lost(plan, samples)

    def _count_lost(self, plan: Plan, samples: list[Sample]) -> None:
        lost = sum([sample.is_lost for sample in samples])
        if lost:
            self._metrics.count_lost(plan.name, lost)
            log.warning("%d of %d completions cannot be told from their prompt (%s)", lost, len(samples), plan.name)

    def _export_gauges(self) -> None:
        pool, slot, admission = self._pool, self.model_slot, self.admission
        self._metrics.export(
            {
                "reward_workers": lambda: pool.living_workers,
                "reward_pending_samples_max": lambda: self._settings.max_pending_samples,
                "reward_oldest_pending_seconds": lambda: admission.oldest_s,
                "reward_pending_samples": lambda: admission.pending,
                "reward_pending_bytes": lambda: admission.pending_bytes,
                "reward_queue_depth": lambda: pool.queued,
                "reward_queue_slow_depth": lambda: pool.queued_slow,
                "reward_queue_wait_seconds": lambda: pool.estimated_wait_s,
                "reward_model_queue_tokens": lambda: slot.queued_tokens,
                "reward_model_queue_wait_seconds": lambda: slot.wait_s,
            }
        )


def _refuse_incomplete(plan: Plan, samples: list[Sample]) -> None:
    """Raises InvalidRequest where a sample lacks what the reward cannot do without."""
    for row, sample in enumerate(samples):
        if (lacking := plan.reward.lacks(sample)) is not None:
            raise InvalidRequest(lacking.format(name=plan.name, row=row))


def _judged(check: Check, asked: Sequence[Pair | Verdict]) -> list[Pair | Verdict]:
    return [each if isinstance(each, Verdict) else judge_at_once(check, each) for each in asked]


def _rprs(plan: Plan, readings: list[Reading]) -> Sequence[Rpr | None]:
    if not plan.needs.rpr:
        return [None] * len(readings)
    return [plan.reward.reasoning(reading.text, plan.phrases) for reading in readings]


def _derivation(plan: Plan, sample: Sample, found: Found) -> Derivation:
    score = plan.reward.settle(sample, found)
    if not sample.is_lost:
        return Derivation(found, score)
    # nothing is known of what the policy wrote: what was found is about an empty text
    return Derivation(Found(found.reading), Score(Outcome.ERROR, None, shown=None, parts=dict.fromkeys(score.parts)))


def _size(samples: list[Sample]) -> int:
    """The work on them, in characters."""
    return sum([len(each.completion) + CHARS_A_SAMPLE * (1 + len(each.ground_truths or ())) for each in samples])
