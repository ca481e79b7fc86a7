"""What waits in the queue of the reward model: which batch it comes into, and what becomes of it when nobody waits."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from engine_calls import ids, run, until
from slow_device import SlowSum

from reward_server.reward_model.engine import BatchReport
from reward_server.reward_model.local import batcher as batching
from reward_server.reward_model.local.batcher import Batcher
from reward_server.reward_model.local.schedule import next_batch


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

    async def body() -> None:
        now = 0.0
        batcher = Batcher(device, max_batch_tokens=2, clock=lambda: now, on_batch=reports.append)
        async with batcher.running():
            device.gate.clear()
            tasks = [asyncio.create_task(batcher.score(ids(n), [ids(n)])) for n in range(2000)]
            await until(lambda: device.calls and batcher.queued == 2000)
            for task in tasks[1:]:
                task.cancel()
            await asyncio.wait(tasks[1:])
            now = 6.0
            device.gate.set()
            await tasks[0]
            await until(lambda: not batcher.queued)
            assert batcher.queued_tokens == 0
            assert await batcher.score(ids(1), [ids(5)]) == [6.0]
        assert decisions == len(device.calls) == 2
        assert [report.dropped for report in reports] == [0, 1999]

    run(body)


def test_the_batches_of_a_large_group_follow_each_other(device: SlowSum) -> None:
    async def body() -> None:
        async with Batcher(device, max_batch_tokens=8).running() as batcher:
            completions = [ids(*[5] * 8), ids(*[5] * 6)]
            await asyncio.gather(batcher.score(ids(1), completions), batcher.score(ids(1, 1), completions))
        # the longest text first, then the rest of its group, though 1 + 8 tokens are more than 2 + 6
        assert device.calls == [[(2, [8])], [(2, [6])], [(1, [8])], [(1, [6])]]

    run(body)
