"""The Scorer finds out what a reward needs to know, lets the reward settle it, and gives one Score a sample, in order.

Each step runs where it belongs (`steps.py`), Math-Verify in processes.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from types import MappingProxyType

from reward_server.admission import Admission
from reward_server.answer_grader import AnswerGrader
from reward_server.checks.checks import Checks
from reward_server.checks.events import CheckEvents
from reward_server.checks.pool_worker import prepare_check_worker
from reward_server.checks.spec import AnyCheck
from reward_server.counting.metrics import Metrics
from reward_server.errors import InvalidRequest, Unavailable
from reward_server.grading.process import prepare_worker
from reward_server.grading.reading import Reading, read
from reward_server.grading.verdicts import VerdictEvents, Verdicts
from reward_server.processes.job import PoolEvents
from reward_server.processes.pool import ProcessPool
from reward_server.reward_model.request import ModelAnswer, ModelRequest
from reward_server.reward_model.slot import ModelSlot
from reward_server.reward_model.token_limit import TokenLimit
from reward_server.rewards.composite import Composite
from reward_server.rewards.found import Derivation, Found, Needs
from reward_server.rewards.plan import Plan
from reward_server.rewards.reasoning import Rpr
from reward_server.rewards.route import RouteReward
from reward_server.settings import Settings
from reward_server.steps import Steps, Times
from reward_server.types import Sample, Verdict
from reward_server.work import Work, all_of, joined, one_by_one, rprs_of, settled

log = logging.getLogger(__name__)
OPINION_SHARE = 0.5
"""Of `request_timeout_s`: so long a request waits for second opinions at most, so that none costs it its rewards."""
NO_CHECKS: Mapping[str, AnyCheck] = MappingProxyType({})


class Scorer:
    """Scores samples; owns the workers and the reward model. Open it with `async with scorer.running()`."""

    def __init__(
        self,
        settings: Settings,
        metrics: Metrics,
        count_requests: Callable[[], int] = lambda: 0,
        checks: Mapping[str, AnyCheck] = NO_CHECKS,
    ) -> None:
        """`count_requests`: as for Admission. `checks`: those of one's own, by name."""
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
        workers, hard_timeout_s = settings.verifier_workers, settings.hard_timeout_s
        self._pool = ProcessPool(workers=workers, hard_timeout_s=hard_timeout_s, events=events)
        self._check_pool = ProcessPool(workers=workers, hard_timeout_s=hard_timeout_s, events=events)
        verdicts = Verdicts(
            self._pool,
            soft_timeout_s=settings.soft_timeout_s,
            cache_size=settings.verdict_cache_size,
            events=VerdictEvents(on_lookup=metrics.count_lookup, on_verdicts=metrics.count_tiers),
        )
        told = CheckEvents(metrics.count_lookup, metrics.count_difference, metrics.count_opinion)
        self.checks = Checks(checks, settings, told)
        self.steps = Steps(metrics.stage_seconds)
        limit_s = OPINION_SHARE * settings.request_timeout_s
        self._grader = AnswerGrader(self.steps, verdicts, self._pool, self.checks, metrics, limit_s)
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
        The examples of checks of one's own are tried before. Raises BadCheck where one fails.
        """
        await self.checks.try_out()
        memory_mb, targets = self._settings.worker_memory_mb, self.checks.targets
        has_targets = workers_at_once and bool(targets)
        with self.steps.running():
            async with (
                self._pool.running(prepare_worker, memory_mb, at_once=workers_at_once),
                self._check_pool.running(prepare_check_worker, memory_mb, targets, at_once=has_targets),
                self.checks.running(self._check_pool),
                self.model_slot.filling(),
            ):
                yield

    async def derive(self, plan: Plan, samples: list[Sample], times: Times = None) -> list[Derivation]:
        """The derivation of each sample, in order; `times` receives milliseconds per step.

        Raises InvalidRequest, TooLarge, NoRewardModel, Unavailable; a sample that cannot be scored raises nothing.
        """
        wait_s = self._admitted(plan, samples, range(len(samples)), plan.name)
        with self.admission.admit(len(samples), wait_s):
            work = Work(plan, samples, times)
            found = await self._found(plan, work)
            size = work.size * plan.reward.work_of_a_char
            return await self.steps.run(None, None, size, self._settled, plan, samples, found)

    def _admitted(self, plan: Plan, samples: Sequence[Sample], rows: Sequence[int], name: str) -> float:
        """How long the queue is that they need. Raises what ends the request before any work.

        `rows`: their numbers in the request. `name`: of the reward, in a message.
        """
        if plan.composite is not None:
            waits = [0.0]
            for part, asked in plan.composite.rows(samples).items():
                is_all = len(asked) == len(samples)
                several = samples if is_all else [samples[row] for row in asked]
                numbers = rows if is_all else [rows[row] for row in asked]
                waits.append(self._admitted(plan.parts[part], several, numbers, f"{name}: its part {part}"))
            return max(waits)
        request = self._model_request(plan.needs)
        _refuse_incomplete(plan, samples, rows, name)
        for check in (plan.needs.check, plan.needs.reference):
            if check is not None:
                self.checks.refuse_incomplete(check, samples, rows)
        if request is not None:
            request.admit()
        return self._queue_s(plan.needs)

    async def _found(self, plan: Plan, work: Work) -> Sequence[Found]:
        """What is known of each sample in the end: what the reward asks for, or how its parts came to their scores."""
        if plan.composite is not None:
            return await self._found_by_parts(plan, plan.composite, work)
        needs, asks, nothing = plan.needs, plan.questions, [None] * len(work.samples)
        readings = await work.once(asks.read, self._read, needs, work)
        verdicts: Sequence[Verdict | None] = nothing
        wrongs: Sequence[Verdict | None] = nothing
        if needs.check:
            graded = (needs.check, plan, work.samples, readings)
            verdicts = await work.once(asks.grade, self._grader.verdicts, *graded, work.size, work.times)
            wrongs = await self._grader.wrong_verdicts(*graded, verdicts)
        rprs = await work.once(asks.rpr, self._reason, plan, work, readings) if needs.rpr else nothing
        answers = await work.once(asks.model, self._ask, needs, work, readings) if needs.model else nothing
        opinions: Sequence[Verdict | None] = nothing
        if needs.reference:
            opinions = await self._grader.opinions(needs.reference, plan, work.samples, readings)
        return [Found(*row) for row in zip(readings, verdicts, rprs, answers, wrongs, opinions, strict=True)]

    async def _found_by_parts(self, plan: Plan, reward: Composite, work: Work) -> Sequence[Found]:
        """How the parts that are asked came to their scores."""
        parts: list[dict[str, Derivation]] = [{} for _ in work.samples]
        asked = reward.rows(work.samples)
        several = [self._settled_part(plan.parts[name], work.of(rows)) for name, rows in asked.items()]
        answers = await (all_of(several) if work.is_parallel else one_by_one(several))
        for (name, rows), derivations in zip(asked.items(), answers, strict=True):
            for row, derivation in zip(rows, derivations, strict=True):
                parts[row][reward.name_of(name, work.samples[row])] = derivation
        return joined(work.samples, parts)

    async def _settled_part(self, plan: Plan, work: Work) -> list[Derivation]:
        found = await self._found(plan, work)
        size = work.size * plan.reward.work_of_a_char
        return await self.steps.run(None, None, size, settled, plan, work.samples, found)

    def _settled(self, plan: Plan, samples: list[Sample], found: Sequence[Found]) -> list[Derivation]:
        """The derivations of a whole request, counted."""
        derivations = settled(plan, samples, found)
        self._metrics.count_samples(plan, samples, derivations)
        if lost := sum([sample.is_lost for sample in samples]):
            self._metrics.count_lost(plan.name, lost)
            log.warning("%d of %d completions cannot be told from their prompt (%s)", lost, len(samples), plan.name)
        return derivations

    def _read(self, needs: Needs, work: Work) -> Awaitable[list[Reading]]:
        texts = [sample.completion for sample in work.samples]
        return self.steps.run("extract", work.times, work.size, read, texts, needs.check, needs.place, needs.turn)

    def _reason(self, plan: Plan, work: Work, readings: list[Reading]) -> Awaitable[list[Rpr]]:
        return self.steps.run("rpr", work.times, work.size, rprs_of, plan, readings)

    async def _ask(self, needs: Needs, work: Work, readings: list[Reading]) -> Sequence[ModelAnswer | None]:
        request = self._model_request(needs)
        if request is None:
            return [None] * len(readings)
        asked = request.ask(work.samples, [reading.text for reading in readings])
        return await self.steps.timed("model", work.times, asked)

    def check_ready(self) -> None:
        """Raises Loading or Unavailable with the reason while not all rewards can be scored."""
        if (problem := self._pool.problem) is not None:
            raise Unavailable(f"no worker for Math-Verify can be started ({problem}); it is tried again")
        if (problem := self._check_pool.problem) is not None:
            raise Unavailable(f"no worker for the checks of [checks] can be started ({problem}); it is tried again")
        self.model_slot.check_ready()

    def check_room(self, plan: Plan) -> None:
        """Raises Overloaded where a request would be refused whatever it holds."""
        self.admission.check(1, self._wait_s(plan))

    def _wait_s(self, plan: Plan) -> float:
        """How long the shortest queue is that a request can need: one route is enough for a row, a mix needs all."""
        if not plan.parts:
            return self._queue_s(plan.needs)
        if isinstance(plan.reward, RouteReward):
            return min(map(self._queue_s, plan.all_needs()))
        return max(map(self._wait_s, plan.parts.values()))

    def _queue_s(self, needs: Needs) -> float:
        """How long the queue is that the reward needs. A second opinion refuses nobody."""
        if needs.model is not None:
            return self.model_slot.wait_s
        return 0.0 if needs.check is None else self._grader.wait_s(needs.check)

    def _model_request(self, needs: Needs) -> ModelRequest | None:
        """Raises NoRewardModel, Loading or Unavailable where the reward asks a model that is not there."""
        return ModelRequest(self.model_slot.model, needs.model, self._token_limit) if needs.model else None

    def _export_gauges(self) -> None:
        pool, checks, slot, admission = self._pool, self._check_pool, self.model_slot, self.admission
        self._metrics.export(
            {
                "reward_workers": lambda: pool.living_workers,
                "reward_pending_samples_max": lambda: self._settings.max_pending_samples,
                "reward_oldest_pending_seconds": lambda: admission.oldest_s,
                "reward_pending_samples": lambda: admission.pending,
                "reward_pending_bytes": lambda: admission.pending_bytes,
                "reward_queue_depth": lambda: pool.queued + checks.queued,
                "reward_queue_slow_depth": lambda: pool.queued_slow + checks.queued_slow,
                "reward_queue_wait_seconds": lambda: max(pool.estimated_wait_s, checks.estimated_wait_s),
                "reward_model_queue_tokens": lambda: slot.queued_tokens,
                "reward_model_queue_wait_seconds": lambda: slot.wait_s,
            }
        )


def _refuse_incomplete(plan: Plan, samples: Sequence[Sample], rows: Sequence[int], name: str) -> None:
    """Raises InvalidRequest where a sample lacks what the reward cannot do without."""
    for row, sample in zip(rows, samples, strict=True):
        if (lacking := plan.reward.lacks(sample)) is not None:
            raise InvalidRequest(lacking.format(name=name, row=row))
