"""Samples from many callers become batches for one device thread.

One task owns the queue. Idle, it waits a few milliseconds for the rest of a group, since trainers send one sample a
connection; busy, it forms the next batch from everything that came meanwhile. What is computed, and in which company,
is decided in `schedule`; the device's `score` does not let company change a score.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Protocol

from reward_server.reward_model.engine import (
    BatchReport,
    DeviceHangs,
    EngineUnavailable,
    Group,
    Mode,
    OnBatch,
    Result,
    TokenIds,
    Work,
    count_not_finite,
    ignore_batch,
)
from reward_server.reward_model.kept_scores import KeptScores, sample_key
from reward_server.reward_model.local.device_thread import DeviceThread
from reward_server.reward_model.local.schedule import GRACE_S, Batch, Waiting, WaitingPrompt, WaitingQueue, next_batch

HANG_FACTOR = 20
HANG_FLOOR_S = 120.0
FIRST_BATCH_S = 900.0
"""A device hangs when a batch takes 20 times what the measured rate says, and over two minutes: attention over a long
text costs a few times more a token, and another process may have most of the machine, but not all of that at once. No
rate is known for the first batch, in which a GPU may still compile its kernels."""


class Device(Protocol):
    """What runs in the device thread, such as `TransformersModel`."""

    def score(self, groups: Sequence[Group], mode: Mode) -> Work: ...


class Batcher:
    """An Engine over a device. Open it with `async with batcher.running()`.

    `max_batch_tokens`: tokens of one batch, and so how long a caller waits for the others of its batch.
    `window_s`: how long an idle device waits for company. `max_age_s`: beyond it a sample no longer waits for longer
    ones. `kept_scores`: finished scores kept, so that a retry resumes instead of starting over. `tokens_per_s`: the
    measured rate, 0 before the first batch.
    """

    def __init__(
        self,
        device: Device,
        *,
        max_batch_tokens: int = 8192,
        window_s: float = 0.01,
        max_age_s: float = 5.0,
        kept_scores: int = 65_536,
        on_batch: OnBatch = ignore_batch,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._thread: DeviceThread[tuple[list[Group], Mode], Work] = DeviceThread(lambda job: device.score(*job))
        self._max_batch_tokens, self._window_s, self._max_age_s = max_batch_tokens, window_s, max_age_s
        self._on_batch, self._clock = on_batch, clock
        self._queue = WaitingQueue()
        self._lead: WaitingPrompt | None = None  # of the last batch
        self._unfinished: dict[bytes, Waiting] = {}
        self._finished = KeptScores(kept_scores)
        self._filled = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._dropped = 0
        self._hang: str | None = None
        self._recent_tokens, self._recent_s = 0.0, 0.0
        self.tokens_per_s = 0.0

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
        return self._queue.tokens

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Batcher]:
        """On leaving, whoever still waits gets EngineUnavailable."""
        self._thread.start(asyncio.get_running_loop())
        self._task = asyncio.create_task(self._serve(), name="reward-model batcher")
        try:
            yield self
        finally:
            self._thread.stop()
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def score(
        self, prompt: TokenIds[int], completions: Sequence[TokenIds[int]], mode: Mode = "deterministic"
    ) -> list[Result]:
        """One result a completion, in order. Raises EngineUnavailable when the device thread ended or hangs."""
        if not all(completions):
            raise ValueError("a completion needs at least one token: the score is read at the last one")
        if self.unready_reason is not None:
            raise EngineUnavailable(self.unready_reason)
        entered = [self._enter(prompt, completion, mode) for completion in completions]
        try:
            return [entry if not isinstance(entry, Waiting) else await _result(entry) for entry in entered]
        finally:
            self._leave(entry for entry in entered if isinstance(entry, Waiting))

    def _enter(self, prompt: TokenIds[int], completion: TokenIds[int], mode: Mode) -> Waiting | float:
        """A finished score, the same sample that already waits, or a new place in the queue."""
        key = sample_key(prompt, completion, mode)
        finished = self._finished.get(key)
        if finished is not None:
            return finished
        sample = self._unfinished.get(key)
        if sample is None:
            future = asyncio.get_running_loop().create_future()
            sample = self._unfinished[key] = Waiting(key, completion, self._clock(), future)
            self._queue.add(prompt, sample, mode)
            self._filled.set()
        sample.callers += 1
        sample.abandoned = None
        return sample

    def _leave(self, samples: Iterable[Waiting]) -> None:
        for sample in samples:
            sample.callers -= 1
            if sample.callers == 0:
                sample.abandoned = self._clock()

    async def _serve(self) -> None:
        """Until the thread ends, or a defect here: whoever waits then is told, whatever it was."""
        try:
            while True:
                await self._filled.wait()
                if self.queued_tokens < self._max_batch_tokens:
                    await asyncio.sleep(self._window_s)
                while self._queue:
                    await self._serve_batch()
                self._filled.clear()
        except EngineUnavailable as error:
            self._fail(error)
        finally:
            self._fail(EngineUnavailable("the reward model was closed"))

    async def _serve_batch(self) -> None:
        now = self._clock()
        self._drop_abandoned(now)
        if not self._queue:
            return
        batch = self._take(now)
        groups = [Group(prompt.prompt, [sample.completion for sample in samples]) for prompt, samples in batch.parts]
        samples = [sample for _, part in batch.parts for sample in part]
        work = await self._watched(groups, batch.mode)
        results = [result for part in work.results for result in part]
        for sample, result in zip(samples, results, strict=True):
            self._finish(sample, result)
        self._report(work, results, tuple(now - sample.arrived for sample in samples))

    async def _watched(self, groups: list[Group], mode: Mode) -> Work:
        """The work of the device. Raises DeviceThreadDied, or DeviceHangs beyond `hang_limit_s`.

        Counted in seconds during which this loop ran: a process that was stopped for a while is no hanging device.
        """
        tokens = sum(len(group.prompt) + sum(map(len, group.completions)) for group in groups)
        limit_s = hang_limit_s(tokens, self.tokens_per_s)
        running = asyncio.ensure_future(self._thread.run((groups, mode)))
        try:
            for _ in range(math.ceil(limit_s)):
                done, _pending = await asyncio.wait({running}, timeout=1.0)
                if done:
                    return running.result()
        finally:
            running.cancel()
        self._hang = f"the reward model hangs: a batch of {tokens} tokens is not done after {limit_s:.0f} s; restart it"
        raise DeviceHangs(self._hang)

    def _drop_abandoned(self, now: float) -> None:
        """All at once: batch by batch, with nothing to wait for between them, thousands would block the event loop."""
        for sample in self._queue.drop_abandoned(now, GRACE_S):
            del self._unfinished[sample.key]
            self._dropped += 1

    def _take(self, now: float) -> Batch:
        """The next batch, out of the queue."""
        tokens, age_s = self._max_batch_tokens, self._max_age_s
        batch = next_batch(self._queue.prompts, now, max_tokens=tokens, max_age_s=age_s, last_lead=self._lead)
        self._lead = batch.parts[0][0]
        for prompt, samples in batch.parts:
            self._queue.remove(prompt, samples)
        return batch

    def _finish(self, sample: Waiting, result: Result) -> None:
        del self._unfinished[sample.key]
        sample.future.set_result(result)
        if isinstance(result, float):
            self._finished.put(sample.key, result)

    def _fail(self, error: EngineUnavailable) -> None:
        """Tell everybody who waits."""
        for sample in self._unfinished.values():
            sample.future.set_result(error)
        self._unfinished.clear()
        self._queue.clear()

    def _report(self, work: Work, results: Sequence[Result], queue_s: tuple[float, ...]) -> None:
        # By seconds, not by batches: a GPU takes nearly as long for one short text as for many, and after a quiet time
        # a rate of short texts would turn away the burst that is fast.
        self._recent_tokens = 0.8 * self._recent_tokens + work.tokens_computed
        self._recent_s = 0.8 * self._recent_s + max(work.forward_s, 1e-6)
        self.tokens_per_s = self._recent_tokens / self._recent_s
        report = BatchReport(
            samples=len(results),
            tokens_computed=work.tokens_computed,
            tokens_saved=work.tokens_saved,
            padding_tokens=work.padding_tokens,
            not_finite=count_not_finite(results),
            forward_s=work.forward_s,
            queue_s=queue_s,
            dropped=self._dropped,
        )
        self._dropped = 0
        self._on_batch(report)


def hang_limit_s(tokens: int, tokens_per_s: float) -> float:
    """Seconds that a batch may take. `tokens_per_s`: the measured rate, 0 when there is none yet."""
    return max(HANG_FLOOR_S, HANG_FACTOR * tokens / tokens_per_s) if tokens_per_s else FIRST_BATCH_S


async def _result(sample: Waiting) -> Result:
    # shielded: others may wait for the same sample, and whoever leaves may come back for it
    result = await asyncio.shield(sample.future)
    if isinstance(result, EngineUnavailable):
        raise result
    return result
