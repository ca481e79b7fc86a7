"""The Scorer runs each step where it belongs, and gives one Score a sample, in order.

Small work is done on the event loop, large work in one thread, Math-Verify in processes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from time import perf_counter
from typing import TypeVar

from reward_server.admission import Admission, TokenLimit
from reward_server.catalog import Plan
from reward_server.derivation import Derivation, Reading, check_inputs, read, repairs, rprs, settle
from reward_server.errors import Unavailable
from reward_server.grading.process import prepare_worker
from reward_server.grading.verdicts import Verdicts, cheaply, pair_of
from reward_server.metrics import Metrics
from reward_server.parameters import FlipParameters, RmParameters, VerifierParameters
from reward_server.processes.pool import PoolEvents, ProcessPool
from reward_server.reward_model.request import ModelRequest, check_prompts
from reward_server.reward_model.slot import ModelSlot
from reward_server.rewards.flip import NoiseRates
from reward_server.rewards.rpr import Rpr
from reward_server.rewards.settlement import is_exposed
from reward_server.settings import Settings
from reward_server.types import Sample, Verdict

R = TypeVar("R")
log = logging.getLogger(__name__)
Times = dict[str, float] | None
"""Receives milliseconds per step."""
INLINE_CHARS = 65_536
"""More text than this is worked on in the thread: on the loop it would hold up everybody for milliseconds."""
CHARS_A_SAMPLE = 256
"""So many characters' work a sample is, however short it is; and so is each of its ground truths."""
WORK_OF_A_CHAR = 16
"""So many characters' work one of an answer or a ground truth is: it may be a member of a list, or a root."""


class Scorer:
    """Scores samples; owns the workers and the reward model. Open it with `async with scorer.running()`."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
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
            metrics=metrics,
        )
        self.admission = Admission(
            max_pending_samples=settings.max_pending_samples,
            max_pending_bytes=settings.max_pending_mb * 2**20,
            max_wait_s=settings.request_timeout_s,
        )
        self._export_gauges()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Starts the worker processes, the thread, and the loading of the model; ends them at exit."""
        with ThreadPoolExecutor(1, thread_name_prefix="rewards") as self._thread:
            async with (
                self._pool.running(prepare_worker, self._settings.worker_memory_mb),
                self.model_slot.filling(),
            ):
                yield

    async def derive(self, plan: Plan, samples: list[Sample], times: Times = None) -> list[Derivation]:
        """The derivation of each sample, in order; `times` receives milliseconds per step.

        Raises InvalidRequest, TooLarge, NoRewardModel, Unavailable; a sample that cannot be scored raises nothing.
        """
        if isinstance(plan.parameters, RmParameters):
            return await self._derive_rm(plan, plan.parameters, samples, times)
        check_inputs(plan, samples)
        with self.admission.admit(len(samples), self._wait_s(plan)):
            size = _size(samples)
            readings = await self._timed("extract", times, self.run(size, lambda: read(plan, samples)))
            verdicts = await self._grade(plan, samples, readings, times, size)
            paid = await self._timed("rpr", times, self.run(size, lambda: rprs(plan, readings)))
            return await self.run(size, lambda: self._settled(plan, samples, readings, verdicts, paid))

    def check_ready(self) -> None:
        """Raises Loading or Unavailable with the reason while not all rewards can be scored."""
        if (problem := self._pool.problem) is not None:
            raise Unavailable(f"no worker for Math-Verify can be started ({problem}); it is tried again")
        self.model_slot.check_ready()

    def check_room(self, plan: Plan) -> None:
        """Raises Overloaded where a request would be refused whatever it holds."""
        self.admission.check(1, self._wait_s(plan))

    def _wait_s(self, plan: Plan) -> float:
        """How long the queue is that the reward needs."""
        if isinstance(plan.parameters, RmParameters):
            return self.model_slot.wait_s
        needs_workers = isinstance(plan.parameters, VerifierParameters) and plan.parameters.check == "math"
        return self._pool.estimated_wait_s if needs_workers else 0.0

    async def _derive_rm(
        self, plan: Plan, parameters: RmParameters, samples: list[Sample], times: Times
    ) -> list[Derivation]:
        model = self.model_slot.model
        check_prompts(plan, samples)
        self._token_limit.admit(model.queued_tokens, model.wait_s)
        with self.admission.admit(len(samples), self._wait_s(plan)):
            size = _size(samples)
            readings = await self._timed("extract", times, self.run(size, lambda: read(plan, samples)))
            paid = await self._timed("rpr", times, self.run(size, lambda: rprs(plan, readings)))
            request = ModelRequest(model, parameters, self._token_limit)
            derivations = await self._timed("model", times, request.derive(samples, readings, paid))
        self._count(plan, samples, derivations)
        return derivations

    async def run(self, size: int, work: Callable[[], R]) -> R:
        """Runs pure work on `size` characters: small work here, large work in the thread."""
        if size <= INLINE_CHARS:
            return work()
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def _grade(
        self, plan: Plan, samples: list[Sample], readings: list[Reading], times: Times, size: int
    ) -> list[Verdict] | list[None]:
        if not isinstance(plan.parameters, VerifierParameters):
            return [None] * len(samples)
        check, ordered = plan.parameters.check, plan.parameters.ordered
        pairs = [pair_of(sample, reading, ordered) for sample, reading in zip(samples, readings, strict=True)]
        texts = (text for pair in pairs for text in (*(pair.ground_truths or ()), pair.answer or "", pair.row or ""))
        size += sum(WORK_OF_A_CHAR * len(text) for text in texts)
        known = await self._timed("judge", times, self.run(size, lambda: [cheaply(check, pair) for pair in pairs]))
        return await self._timed("grade", times, self._verdicts.complete(known, pairs))

    async def _timed(self, stage: str, times: Times, work: Awaitable[R]) -> R:
        started = perf_counter()
        result = await work
        seconds = perf_counter() - started
        self._metrics.stage_seconds[stage].observe(seconds)
        if times is not None:
            times[stage] = round(seconds * 1000, 3)
        return result

    def _settled(
        self,
        plan: Plan,
        samples: list[Sample],
        readings: list[Reading],
        verdicts: Sequence[Verdict | None],
        paid: list[Rpr | None],
    ) -> list[Derivation]:
        rows = zip(samples, readings, verdicts, paid, strict=True)
        derivations = [settle(plan, *row) for row in rows]
        self._count(plan, samples, derivations)
        return derivations

    def _count(self, plan: Plan, samples: list[Sample], derivations: list[Derivation]) -> None:
        metrics = self._metrics
        metrics.count_scores(plan.name, [derivation.score for derivation in derivations])
        metrics.count_rprs(plan.name, [derivation.rpr.value for derivation in derivations if derivation.rpr])
        self._count_lost(plan, samples)
        metrics.escapes.inc(sum(derivation.reading.lost_backslash for derivation in derivations))
        metrics.repaired.inc(sum(bool(repairs(plan, sample)) for sample in samples))
        if isinstance(plan.parameters, RmParameters):
            metrics.count_model_scores(plan.name, [derivation.score.parts for derivation in derivations])
        if isinstance(plan.parameters, FlipParameters):
            parts = [derivation.score.parts for derivation in derivations]
            metrics.flips.labels(plan.name).inc(sum(part["flipped"] or 0.0 for part in parts))
            exposed = [
                derivation.score.outcome.clean
                for sample, derivation in zip(samples, derivations, strict=True)
                if sample.flip and is_exposed(derivation.score.outcome, plan.parameters)
            ]
            metrics.exposed.labels(plan.name).inc(len(exposed))
            rates = NoiseRates(*plan.parameters.noise_rates)
            metrics.expected_flips.labels(plan.name).inc(sum(rates.of(clean) for clean in exposed))

    def _count_lost(self, plan: Plan, samples: list[Sample]) -> None:
        lost = sum(sample.is_lost for sample in samples)
        if lost:
            self._metrics.count_lost(plan.name, lost)
            log.warning(
                "%d of %d completions cannot be told from their prompt: the query does not begin with it (%s)",
                lost,
                len(samples),
                plan.name,
            )

    def _export_gauges(self) -> None:
        gauge, pool = self._metrics.gauge, self._pool
        gauge("reward_workers", "Living processes that run Math-Verify.", lambda: pool.living_workers)
        gauge("reward_pending_samples_max", "Beyond it a request gets 503.", lambda: self._settings.max_pending_samples)
        gauge("reward_oldest_pending_seconds", "Age of the oldest request under work.", lambda: self.admission.oldest_s)
        gauge("reward_pending_samples", "Samples admitted and not yet answered.", lambda: self.admission.pending)
        gauge("reward_pending_bytes", "Bytes of the bodies of pending requests.", lambda: self.admission.pending_bytes)
        gauge("reward_queue_depth", "Answers that wait for a worker.", lambda: pool.queued)
        gauge("reward_queue_slow_depth", "Those that began again in the slow lane.", lambda: pool.queued_slow)
        gauge("reward_queue_wait_seconds", "Estimated wait of an answer queued now.", lambda: pool.estimated_wait_s)
        slot = self.model_slot
        gauge("reward_model_queue_tokens", "Tokens that wait for the reward model.", lambda: slot.queued_tokens)
        gauge("reward_model_queue_wait_seconds", "Estimated wait of a sample queued now.", lambda: slot.wait_s)


def _size(samples: list[Sample]) -> int:
    """The work on them, in characters."""
    return sum(len(each.completion) + CHARS_A_SAMPLE * (1 + len(each.ground_truths or ())) for each in samples)
