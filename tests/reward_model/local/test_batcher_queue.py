"""What waits in the queue of the reward model: which batch it comes into, and what becomes of it when nobody waits."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from engine_calls import ids, run, scores, until
from slow_device import SlowSum

from reward_server.kit import shared
from reward_server.reward_model.local import batcher as batching
from reward_server.reward_model.local.batcher import Batcher
from reward_server.reward_model.local.schedule import next_batch
from reward_server.types import BatchReport


@pytest.fixture
def device() -> SlowSum:
    return SlowSum()


def test_thousands_that_were_left_are_dropped_at_once_and_not_batch_by_batch(
    device: SlowSum, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports: list[BatchReport] = []
    decisions = 0

    def counted(*args: Any, **options: Any) -> Any:
        nonlocal decisions
        decisions += 1
        return next_batch(*args, **options)

    monkeypatch.setattr(batching, "next_batch", counted)
    monkeypatch.setattr(batching, "BATCH_TOKENS", 2)

    async def body() -> None:
        batcher = Batcher(device, on_batch=reports.append)
        async with batcher.running():
            device.gate.clear()
            tasks = [asyncio.create_task(batcher.score(ids(n), ids(n))) for n in range(2000)]
            await until(lambda: device.calls and batcher.queued == 2000)
            for task in tasks[1:]:
                task.cancel()
            await asyncio.wait(tasks[1:])
            monkeypatch.setattr(shared, "GRACE_S", 0.0)
            device.gate.set()
            await tasks[0]
            await until(lambda: not batcher.queued)
            assert batcher.queued_tokens == 0
            assert await batcher.score(ids(1), ids(5)) == 6.0
        assert decisions == len(device.calls) == 2
        assert [report.dropped for report in reports] == [0, 1999]

    run(body)


def test_the_batches_of_a_large_group_follow_each_other(device: SlowSum, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "BATCH_TOKENS", 8)

    async def body() -> None:
        async with Batcher(device).running() as batcher:
            completions = [ids(*[5] * 8), ids(*[5] * 6)]
            await asyncio.gather(*(scores(batcher, prompt, *completions) for prompt in (ids(1), ids(1, 1))))
        # the longest text first, then the rest of its group, though 1 + 8 tokens are more than 2 + 6
        assert device.calls == [[(2, [8])], [(2, [6])], [(1, [8])], [(1, [6])]]

    run(body)
