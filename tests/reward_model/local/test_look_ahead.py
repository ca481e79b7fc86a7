"""A device that is fast finds the next full batch waiting when it is done with one."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

import pytest
from engine_calls import ids, run, until
from slow_device import SlowSum

from reward_server.kit import shared
from reward_server.reward_model.engine import DeviceHangs, DeviceThreadDied
from reward_server.reward_model.local import batcher as batching
from reward_server.reward_model.local.batcher import Batcher
from reward_server.types import BatchReport


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> SlowSum:
    """100 tokens a second, where batches have 4."""
    monkeypatch.setattr(batching, "BATCH_TOKENS", 4)
    return SlowSum()


def asked(batcher: Batcher, *tokens: int) -> list[asyncio.Task[object]]:
    """A sample of two tokens for each."""
    return [asyncio.create_task(batcher.score(ids(token), ids(token))) for token in tokens]


async def running(batcher: Batcher, device: SlowSum) -> list[asyncio.Task[object]]:
    """The rate is known, and a batch of two samples runs."""
    await batcher.score(ids(90), ids(90))
    device.calls.clear()
    device.gate.clear()
    tasks = asked(batcher, 1, 2)
    await until(lambda: device.calls)
    return tasks


def without_the_loop(condition: Callable[[], bool]) -> bool:
    """Whether it comes true while the event loop does nothing."""
    ends = time.monotonic() + 1
    while not condition() and time.monotonic() < ends:
        time.sleep(0.001)  # polling
    return condition()


def test_a_full_batch_follows_without_the_event_loop(device: SlowSum) -> None:
    async def body() -> None:
        async with Batcher(device).running() as batcher:
            tasks = await running(batcher, device)
            tasks += asked(batcher, 3, 4, 5)
            await until(lambda: batcher.queued == 5)
            assert batcher.queued_tokens == 6  # those of the batch that follows wait too
            device.gate.set()
            assert without_the_loop(lambda: len(device.calls) == 2)
            assert await asyncio.gather(*tasks) == [2.0, 4.0, 6.0, 8.0, 10.0]
        assert [len(groups) for groups in device.calls] == [2, 2, 1]
        assert batcher.queued == batcher.queued_tokens == 0

    run(body)


def test_one_that_waits_when_the_batch_before_it_starts_follows_too(device: SlowSum) -> None:
    async def body() -> None:
        async with Batcher(device).running() as batcher:
            tasks = await running(batcher, device)
            tasks += asked(batcher, 3, 4, 5, 6)  # two batches, of which one follows at once
            await until(lambda: batcher.queued == 6)
            one_call = threading.Semaphore(0)
            device.wait = one_call.acquire  # those to come
            device.gate.set()
            await asyncio.gather(*tasks[:2])
            one_call.release(2)
            assert without_the_loop(lambda: len(device.calls) == 3)
            await asyncio.gather(*tasks)

    run(body)


def test_a_batch_that_is_not_full_waits_for_more_until_the_device_is_free(device: SlowSum) -> None:
    async def body() -> None:
        async with Batcher(device).running() as batcher:
            tasks = await running(batcher, device)
            tasks += asked(batcher, 3)
            await until(lambda: batcher.queued == 3)
            device.gate.set()
            assert not without_the_loop(lambda: len(device.calls) == 2)
            tasks += asked(batcher, 4)
            await asyncio.gather(*tasks)

    run(body)


def test_behind_a_long_batch_who_leaves_is_still_dropped(device: SlowSum, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "SHORT_BATCH_S", 0.01)  # at 100 tokens a second, 4 take longer
    reports: list[BatchReport] = []

    async def body() -> None:
        async with Batcher(device, on_batch=reports.append).running() as batcher:
            tasks = await running(batcher, device)
            left = asked(batcher, 3, 4, 5)
            await until(lambda: batcher.queued == 5)
            for task in left:
                task.cancel()
            await asyncio.wait(left)
            monkeypatch.setattr(shared, "GRACE_S", 0.0)
            device.gate.set()
            await asyncio.gather(*tasks)
            await until(lambda: not batcher.queued)
        assert [len(groups) for groups in device.calls] == [2]

    run(body)


def test_before_a_rate_is_known_nothing_is_handed_over_early(device: SlowSum) -> None:
    async def body() -> None:
        async with Batcher(device).running() as batcher:
            device.gate.clear()
            tasks = asked(batcher, 1, 2)
            await until(lambda: device.calls)
            tasks += asked(batcher, 3, 4)
            await until(lambda: batcher.queued == 4)
            device.gate.set()
            assert not without_the_loop(lambda: len(device.calls) == 2)
            await asyncio.gather(*tasks)

    run(body)


def test_the_seconds_in_the_queue_end_where_the_device_starts(device: SlowSum) -> None:
    reports: list[BatchReport] = []

    async def body() -> None:
        async with Batcher(device, on_batch=reports.append).running() as batcher:
            tasks = await running(batcher, device)
            tasks += asked(batcher, 3, 4)
            await until(lambda: batcher.queued == 4)
            await asyncio.sleep(0.2)
            device.gate.set()
            await asyncio.gather(*tasks)

    run(body)
    assert [report.samples for report in reports] == [1, 2, 2]
    assert min(reports[-1].queue_s) >= 0.2


def test_a_thread_that_dies_fails_the_batch_behind_too(device: SlowSum) -> None:
    async def body() -> None:
        async with Batcher(device).running() as batcher:
            tasks = await running(batcher, device)
            tasks += asked(batcher, 3, 4, 5)
            await until(lambda: batcher.queued == 5)
            device.fails_with = RuntimeError("CUDA error")
            device.gate.set()
            for result in await asyncio.gather(*tasks, return_exceptions=True):
                assert isinstance(result, DeviceThreadDied)
            assert batcher.queued == batcher.queued_tokens == 0
        assert len(device.calls) == 1

    run(body)


def test_a_device_that_hangs_fails_the_batch_behind_too(device: SlowSum, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "hang_limit_s", lambda tokens, tokens_per_s: 1.0)

    async def body() -> None:
        async with Batcher(device).running() as batcher:
            tasks = await running(batcher, device)
            tasks += asked(batcher, 3, 4, 5)
            await until(lambda: batcher.queued == 5)
            for result in await asyncio.gather(*tasks, return_exceptions=True):
                assert isinstance(result, DeviceHangs)
            assert batcher.queued == batcher.queued_tokens == 0
            device.gate.set()

    run(body)
