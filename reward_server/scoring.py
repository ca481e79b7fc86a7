"""The Scorer runs each step where it belongs, and gives one Score a sample, in order.

Small work is done on the event loop, large work in one thread, Math-Verify in processes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from time import perf_counter
from types import MappingProxyType
from typing import TypeVar, TypeVarTuple, Unpack

from msgspec.structs import replace

from reward_server.admission import Admission
from reward_server.checks.checks import Checks
from reward_server.checks.events import CheckEvents
from reward_server.checks.pool_worker import prepare_check_worker
from reward_server.checks.spec import AnyCheck
from reward_server.counting.metrics import Metrics
from reward_server.errors import InvalidRequest, Unavailable
from reward_server.grading.process import prepare_worker
from reward_server.grading.reading import Check, Reading, read
from reward_server.grading.verdicts import Pair, VerdictEvents, Verdicts, judge_at_once, pair_of
from reward_server.processes.job import PoolEvents
from reward_server.processes.pool import ProcessPool
from reward_server.reward_model.request import ModelAnswer, ModelRequest
from reward_server.reward_model.slot import ModelSlot
from reward_server.reward_model.token_limit import TokenLimit
from reward_server.rewards.composite import Composite
from reward_server.rewards.flip import both_right
from reward_server.rewards.found import Derivation, Found, Needs, leaves_of
from reward_server.rewards.plan import Plan
from reward_server.rewards.reasoning import Rpr
from reward_server.rewards.reward import Reward
from reward_server.rewards.route import RouteReward
from reward_server.settings import Settings
from reward_server.types import Outcome, Sample, Verdict
from reward_server.work import Times, Work, all_of, count_repaired, joined, one_by_one, rprs_of, settled, size_of

R = TypeVar("R")
Args = TypeVarTuple("Args")
log = logging.getLogger(__name__)
INLINE_CHARS = 65_536
"""More text than this is worked on in the thread: on the loop it would hold up everybody for milliseconds."""
OPINION_SHARE = 0.5
"""Of `request_timeout_s`: so long a request waits for second opinions at most, so that none costs it its rewards."""
NO_CHECKS: Mapping[str, AnyCheck] = MappingProxyType({})
WORK_OF_A_CHAR = 16
"""A character of an answer or a ground truth costs as much work as so many others: it may be a member of a list."""


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
        self._verdicts = Verdicts(
            self._pool,
            soft_timeout_s=settings.soft_timeout_s,
            cache_size=settings.verdict_cache_size,
            events=VerdictEvents(on_lookup=metrics.count_lookup, on_verdicts=metrics.count_tiers),
        )
        told = CheckEvents(metrics.count_lookup, metrics.count_difference, metrics.count_opinion)
        self.checks = Checks(checks, settings, told)
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
        with ThreadPoolExecutor(1, thread_name_prefix="rewards") as self._thread:
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
            work = Work(samples, times, plan.is_parallel)
            derivations = await self._derived(plan, work)
            await self.run(None, None, work.size, self._count, plan, samples, derivations)
            return derivations

    def _admitted(self, plan: Plan, samples: Sequence[Sample], rows: Sequence[int], name: str) -> float:
        """How long the queue is that they need. Raises what ends the request before any work.

        `rows`: their numbers in the request. `name`: of the reward, in a message.
        """
        if plan.parts and isinstance(plan.reward, Composite):  # the latter alone takes a microsecond
            waits = [0.0]
            for part, asked in plan.reward.rows(samples).items():
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

    async def _derived(self, plan: Plan, work: Work) -> list[Derivation]:
        """Of all samples; of a reward that is made of others, after those of its parts."""
        if plan.parts and isinstance(plan.reward, Composite):
            parts: list[dict[str, Derivation]] = [{} for _ in work.samples]
            asked = plan.reward.rows(work.samples)
            several = [self._derived(plan.parts[name], work.of(rows)) for name, rows in asked.items()]
            answers = await (all_of(several) if work.is_parallel else one_by_one(several))
            for (name, rows), derivations in zip(asked.items(), answers, strict=True):
                for row, derivation in zip(rows, derivations, strict=True):
                    parts[row][plan.reward.name_of(name, work.samples[row])] = derivation
            found: Sequence[Found] = joined(work.samples, parts)
        else:
            found = await self._found(plan, work)
        size = work.size * plan.reward.work_of_a_char
        return await self.run(None, None, size, settled, plan, work.samples, found)

    async def _found(self, plan: Plan, work: Work) -> list[Found]:
        """What one reward asks for."""
        needs, nothing = plan.needs, [None] * len(work.samples)
        question = needs.check == "string", needs.place, needs.turn
        readings = await work.once(("read", question), self._read, needs, work)
        verdicts: Sequence[Verdict | None] = nothing
        wrongs: Sequence[Verdict | None] = nothing
        if needs.check:
            asked = ("grade", question, needs.check, needs.ordered)
            verdicts = await work.once(asked, self._grade, needs.check, plan, work.samples, readings, work.times)
            wrongs = await self._grade_mislabelled(needs.check, plan, work.samples, readings, verdicts)
        question_of_model = ("model", needs.turn, needs.model)
        rprs = await self._reason(plan, work, readings) if needs.rpr else nothing
        answers = await work.once(question_of_model, self._ask, needs, work, readings) if needs.model else nothing
        opinions = await self._ask_reference(needs, plan, work.samples, readings) if needs.reference else nothing
        return [Found(*row) for row in zip(readings, verdicts, rprs, answers, wrongs, opinions, strict=True)]

    async def _reason(self, plan: Plan, work: Work, readings: Sequence[Reading]) -> Sequence[Rpr | None]:
        if not isinstance(plan.reward, Reward):
            return [None] * len(readings)
        asked = ("rpr", plan.needs.turn, plan.reward.reasoning_key())
        return await work.once(
            asked, self.run, "rpr", work.times, work.size, rprs_of, plan.reward, plan.phrases, readings
        )

    async def _read(self, needs: Needs, work: Work) -> list[Reading]:
        texts = [sample.completion for sample in work.samples]
        return await self.run("extract", work.times, work.size, read, texts, needs.check, needs.place, needs.turn)

    async def _ask(self, needs: Needs, work: Work, readings: Sequence[Reading]) -> Sequence[ModelAnswer | None]:
        request = self._model_request(needs)
        if request is None:
            return [None] * len(readings)
        asked = request.ask(work.samples, [reading.text for reading in readings])
        return await self._timed("model", work.times, asked)

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
        if needs.check == "math":
            return self._pool.estimated_wait_s
        return 0.0 if needs.check is None else self.checks.wait_s(needs.check)

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
        self,
        check: Check,
        plan: Plan,
        samples: list[Sample],
        readings: list[Reading],
        times: Times,
        *,
        is_opinion: bool = False,
    ) -> Sequence[Verdict | None]:
        if check in self.checks:
            asked_for = self.checks.grade(check, samples, readings, is_opinion=is_opinion)
            verdicts = await self._timed("grade", times, asked_for)
            self._metrics.count_tiers(verdicts)
            return verdicts
        asked = [pair_of(*row, plan.needs.ordered) for row in zip(samples, readings, strict=True)]
        pairs = [pair for pair in asked if isinstance(pair, Pair)]
        texts = (text for pair in pairs for text in (*pair.ground_truths, pair.answer, pair.row or ""))
        size = size_of(samples) + sum(WORK_OF_A_CHAR * len(text) for text in texts)
        judged = await self.run("judge", times, size, _judged, check, asked)
        return await self._timed("grade", times, self._verdicts.complete(judged))

    async def _grade_mislabelled(
        self,
        check: Check,
        plan: Plan,
        samples: list[Sample],
        readings: list[Reading],
        true: Sequence[Verdict | None],
    ) -> Sequence[Verdict | None]:
        """Against the wrong ground truth, for those that are paid by it. `true`: against the true one."""
        rows = [row for row, sample in enumerate(samples) if plan.reward.mislabels(sample)]
        verdicts: list[Verdict | None] = [None] * len(samples)
        if rows:
            wrong = [replace(samples[row], ground_truths=samples[row].wrong_ground_truths) for row in rows]
            graded = await self._grade(check, plan, wrong, [readings[row] for row in rows], None)
            for row, verdict in zip(rows, graded, strict=True):
                verdicts[row] = verdict
            if right := sum(both_right(true[row], verdicts[row]) for row in rows):
                log.warning("%s: %d of %d wrong labels are met by the right answer", plan.name, right, len(rows))
        return verdicts

    async def _ask_reference(
        self, needs: Needs, plan: Plan, samples: list[Sample], readings: list[Reading]
    ) -> Sequence[Verdict | None]:
        """The second opinion, of those samples that are chosen. It may fail, and no reward fails with it."""
        verdicts: list[Verdict | None] = [None] * len(samples)
        rows = plan.reward.refers(samples, [reading.text for reading in readings])
        if not rows or needs.reference is None:
            return verdicts
        chosen, limit_s = [samples[row] for row in rows], OPINION_SHARE * self._settings.request_timeout_s
        try:
            texts, place = [sample.completion for sample in chosen], needs.reference_place or needs.place
            asked = await self.run("extract", None, size_of(chosen), read, texts, needs.reference, place, needs.turn)
            async with asyncio.timeout(limit_s):
                graded = await self._grade(needs.reference, plan, chosen, asked, None, is_opinion=True)
        except TimeoutError:
            log.warning("%d second opinions of %s took over %g s: there are none", len(rows), needs.reference, limit_s)
            graded = [Verdict(Outcome.TIMEOUT, "error", "", "")] * len(rows)
        except Exception:
            log.exception("the second opinion failed; rewards do not depend on it")
            graded = [Verdict(Outcome.ERROR, "error", "", "")] * len(rows)
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
            times[stage] = round(times.get(stage, 0.0) + seconds * 1000, 3)

    def _count(self, plan: Plan, samples: list[Sample], derivations: list[Derivation]) -> None:
        metrics = self._metrics
        metrics.count_samples(plan, samples, derivations)
        metrics.escapes_eaten.inc(sum([derivation.found.reading.has_eaten_escape for derivation in derivations]))
        metrics.repaired.inc(count_repaired(plan, samples, derivations))
        if plan.needs.model is not None or (plan.parts and plan.asks_a_model):
            leaves = leaves_of(derivations)
            metrics.count_model_scores([each.score.parts for each in leaves if "model_score" in each.score.parts])
        self._count_lost(plan, samples)

    def _count_lost(self, plan: Plan, samples: list[Sample]) -> None:
        lost = sum([sample.is_lost for sample in samples])
        if lost:
            self._metrics.count_lost(plan.name, lost)
            log.warning("%d of %d completions cannot be told from their prompt (%s)", lost, len(samples), plan.name)

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


def _judged(check: Check, asked: Sequence[Pair | Verdict]) -> list[Pair | Verdict]:
    return [each if isinstance(each, Verdict) else judge_at_once(check, each) for each in asked]
