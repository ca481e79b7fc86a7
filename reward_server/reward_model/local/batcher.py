"""Samples from many callers become batches for one device thread.

One task owns the queue. Idle, it waits a few milliseconds for the rest of a group, since trainers send one sample a
connection. Busy, it forms the next batch from everything that arrived meanwhile, and where that is full, hands it over
at once: a fast device does not idle while results are told and the next batch is chosen. What is computed, and in which
company, is decided in `schedule`. The device's `score` does not let company change a score.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Protocol

from reward_server.kit.kept import Kept
from reward_server.kit.rate import Rate
from reward_server.reward_model.engine import (
    DeviceHangs,
    EngineUnavailable,
    Group,
    Mode,
    OnBatch,
    RawScore,
    Result,
    SampleError,
    TokenIds,
    Work,
    count_not_finite,
    ignore_batch,
)
from reward_server.reward_model.local.device_thread import DeviceThread
from reward_server.reward_model.local.schedule import Batch, next_batch
from reward_server.reward_model.local.waiting import Waiting, WaitingPrompt, WaitingQueue
from reward_server.reward_model.sample_key import KEPT_SCORES, sample_key
from reward_server.types import BatchReport

BATCH_TOKENS = 8192
"""Tokens of one batch, and so how long a caller waits for the others of its batch."""

WINDOW_S = 0.01
"""Seconds that an idle device waits for company."""

SHORT_BATCH_S = 1.0
"""Seconds of a batch behind which the next is handed over before it is done."""

MAX_AGE_S = 5.0
"""Seconds after which a sample no longer waits for longer ones."""

HANG_FACTOR = 20
HANG_FLOOR_S = 120.0
FIRST_BATCH_S = 900.0
"""A device hangs when a batch takes 20 times what the measured rate says, and over two minutes: attention over a long
text costs a few times more a token, and another process may have most of the machine, but not all of that at once. No
rate is known for the first batch, in which a GPU may still compile its kernels."""

END_S = 5.0
"""How long the end of the device's last job is waited for: it may take minutes, and nobody waits for its result."""


class Device(Protocol):
    """What runs in the device thread, such as `TransformersModel`."""

    def score(self, groups: Sequence[Group], mode: Mode) -> Work: ...


@dataclass(frozen=True, slots=True)
class _Handed:
    """A batch that the device has. `tokens`: of all its samples, a prompt's once. `dropped`: how many were dropped
    since the batch before it."""

    samples: list[Waiting]
    tokens: int
    dropped: int
    work: asyncio.Future[Work]


class Batcher:
    """An Engine over a device. Open it with `async with batcher.running()`."""

    def __init__(self, device: Device, *, on_batch: OnBatch = ignore_batch) -> None:
        self._thread: DeviceThread[tuple[list[Group], Mode], Work] = DeviceThread(lambda job: device.score(*job))
        self._on_batch = on_batch
        self._queue = WaitingQueue()
        self._lead: WaitingPrompt | None = None  # of the last batch
        self._may_look_ahead = False  # a short batch runs
        self._ahead: _Handed | None = None  # the batch that follows it
        self._unfinished: dict[bytes, Waiting] = {}
        self._finished: Kept[bytes, RawScore] = Kept(KEPT_SCORES)
        self._filled = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._dropped = 0
        self._hang: str | None = None
        # By seconds, not by batches: a GPU takes nearly as long for one short text as for many, and after a quiet time
        # a rate of short texts would turn away the burst that is fast.
        self._rate = Rate(keep=0.8)

    @property
    def unready_reason(self) -> str | None:
        """None while it works; else why it does not."""
        reason = self._hang or self._thread.death
        if reason is None and self._task is not None and self._task.done():
            return "the queue of the reward model ended"
        return reason

    @property
    def queued(self) -> int:
        """Distinct samples that wait or are being computed."""
        return len(self._unfinished)

    @property
    def queued_tokens(self) -> int:
        """Tokens that wait, a prompt's once; not those that are being computed."""
        return self._queue.tokens + (self._ahead.tokens if self._ahead else 0)

    @property
    def tokens_per_s(self) -> float:
        """The measured rate; 0 before the first batch."""
        return self._rate.value

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Batcher]:
        """On leaving, whoever still waits gets EngineUnavailable."""
        self._thread.start(asyncio.get_running_loop())
        self._task = asyncio.create_task(self._serve(), name="reward-model batcher")
        try:
            yield self
        finally:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            await self._thread.stop(wait_s=END_S if self._hang is None else 0)

    async def score(self, prompt: TokenIds[int], completion: TokenIds[int], mode: Mode = "deterministic") -> RawScore:
        """The raw score. Raises SampleError, and EngineUnavailable when the device thread ended or hangs."""
        if not completion:
            raise ValueError("a completion needs at least one token: the score is read at the last one")
        if self.unready_reason is not None:
            raise EngineUnavailable(self.unready_reason)
        key = sample_key(prompt, completion, mode)
        finished = self._finished.get(key)
        if finished is not None:
            return finished
        sample = self._unfinished.get(key) or self._enqueue(key, prompt, completion, mode)
        return await sample.result()

    def _enqueue(self, key: bytes, prompt: TokenIds[int], completion: TokenIds[int], mode: Mode) -> Waiting:
        """A new place in the queue."""
        sample = Waiting(asyncio.get_running_loop().create_future(), key, completion, time.monotonic())
        self._unfinished[key] = sample
        self._queue.add(prompt, sample, mode)
        self._filled.set()
        self._look_ahead()
        return sample

    async def _serve(self) -> None:
        """Runs until the thread ends or this task fails. Either way everybody who still waits is told why."""
        try:
            while True:
                await self._filled.wait()
                if self.queued_tokens < BATCH_TOKENS:
                    await asyncio.sleep(WINDOW_S)
                running = self._next()
                while running is not None:
                    running = await self._served(running)
                self._filled.clear()
        except EngineUnavailable as error:
            self._fail(error)
        finally:
            self._fail(EngineUnavailable("the reward model was closed"))

    async def _served(self, running: _Handed) -> _Handed | None:
        """Waits for the batch and settles it. Returns the one that the device has by then."""
        started = time.monotonic()
        self._may_look_ahead = self.tokens_per_s > 0 and running.tokens / self.tokens_per_s < SHORT_BATCH_S
        self._look_ahead()
        work = await self._watched(running)
        self._may_look_ahead = False
        following, self._ahead = self._ahead or self._next(), None  # first of all: the device idles
        results = [result for part in work.results for result in part]
        for sample, result in zip(running.samples, results, strict=True):
            self._finish(sample, result)
        self._report(running, work, results, started)
        return following

    def _look_ahead(self) -> None:
        """A full batch is handed over while another runs, so that the device does not idle between them.

        One that is not full can still grow until the device is free. Behind a long one it would be early: whoever
        leaves could not be dropped any more, and the gap is nothing beside it.
        """
        if self._may_look_ahead and self._ahead is None and self._queue.tokens >= BATCH_TOKENS:
            self._ahead = self._next()

    def _next(self) -> _Handed | None:
        """The next batch, handed to the device; None where nobody waits."""
        now = time.monotonic()
        self._drop_abandoned(now)
        if not self._queue:
            return None
        batch = self._take(now)
        groups = [Group(prompt.prompt, [sample.completion for sample in samples]) for prompt, samples in batch.parts]
        samples = [sample for _, part in batch.parts for sample in part]
        tokens = sum(len(group.prompt) + sum(map(len, group.completions)) for group in groups)
        dropped, self._dropped = self._dropped, 0
        return _Handed(samples, tokens, dropped, self._thread.run((groups, batch.mode)))

    async def _watched(self, running: _Handed) -> Work:
        """The work of the device. Raises DeviceThreadDied, or DeviceHangs beyond `hang_limit_s`.

        Counted in seconds during which this loop ran: a process that was stopped for a while is no hanging device.
        """
        limit_s = hang_limit_s(running.tokens, self.tokens_per_s)
        for _ in range(math.ceil(limit_s)):
            done, _pending = await asyncio.wait({running.work}, timeout=1.0)
            if done:
                return running.work.result()
        self._hang = (
            f"the reward model hangs: a batch of {running.tokens} tokens is not done after {limit_s:.0f} s; restart it"
        )
        raise DeviceHangs(self._hang)

    def _drop_abandoned(self, now: float) -> None:
        # All at once: batch by batch, with nothing to wait for between them, thousands would block the event loop.
        for sample in self._queue.drop_abandoned(now):
            del self._unfinished[sample.key]
            self._dropped += 1

    def _take(self, now: float) -> Batch:
        """The next batch, out of the queue."""
        batch = next_batch(self._queue.prompts, now, max_tokens=BATCH_TOKENS, max_age_s=MAX_AGE_S, last_lead=self._lead)
        self._lead = batch.parts[0][0]
        for prompt, samples in batch.parts:
            self._queue.remove(prompt, samples)
        return batch

    def _finish(self, sample: Waiting, result: Result) -> None:
        del self._unfinished[sample.key]
        if isinstance(result, SampleError):
            sample.fail(result)
        else:
            sample.future.set_result(result)
            self._finished.put(sample.key, result)

    def _fail(self, error: EngineUnavailable) -> None:
        """Tells everybody who waits."""
        for sample in self._unfinished.values():
            sample.fail(error)
        self._unfinished.clear()
        self._queue.clear()
        self._ahead = None

    def _report(self, batch: _Handed, work: Work, results: Sequence[Result], started: float) -> None:
        self._rate.add(work.tokens_computed, max(work.forward_s, 1e-6))
        report = BatchReport(
            samples=len(results),
            tokens_computed=work.tokens_computed,
            tokens_saved=work.tokens_saved,
            padding_tokens=work.padding_tokens,
            not_finite=count_not_finite(results),
            forward_s=work.forward_s,
            queue_s=tuple(started - sample.arrived for sample in batch.samples),
            dropped=batch.dropped,
        )
        self._on_batch(report)


def hang_limit_s(tokens: int, tokens_per_s: float) -> float:
    """Seconds that a batch may take. `tokens_per_s`: the measured rate, 0 when there is none yet."""
    return max(HANG_FLOOR_S, HANG_FACTOR * tokens / tokens_per_s) if tokens_per_s else FIRST_BATCH_S
