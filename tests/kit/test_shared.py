"""Work that several callers await: it outlives each of them, and all of them by the grace."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

from engine_calls import run

from reward_server.kit.shared import GRACE_S, Shared


def shared() -> Shared[int]:
    return Shared(asyncio.get_running_loop().create_future())


async def caller(work: Shared[int]) -> asyncio.Task[int]:
    """One who waits."""
    before = work.callers
    task = asyncio.create_task(work.result())
    while work.callers == before:
        await asyncio.sleep(0)
    return task


def test_all_callers_get_the_one_result() -> None:
    async def body() -> None:
        work = shared()
        waiting = [await caller(work) for _ in range(3)]
        work.future.set_result(7)
        assert await asyncio.gather(*waiting) == [7, 7, 7]
        assert await work.result() == 7

    run(body)


def test_whoever_leaves_takes_nothing_from_the_others() -> None:
    async def body() -> None:
        work = shared()
        leaver, stayer = await caller(work), await caller(work)
        leaver.cancel()
        await asyncio.wait([leaver])
        assert (work.callers, work.left_at) == (1, None)
        work.future.set_result(7)
        assert await stayer == 7

    run(body)


def test_work_is_kept_for_the_grace_after_the_last_caller_left() -> None:
    async def body() -> None:
        work = shared()
        assert not work.is_abandoned(1e12)  # nobody has come yet
        leaver = await caller(work)
        assert not work.is_abandoned(1e12)
        leaver.cancel()
        await asyncio.wait([leaver])
        assert work.left_at is not None
        left_at = work.left_at
        assert not work.is_abandoned(left_at + GRACE_S - 0.001)
        assert work.is_abandoned(left_at + GRACE_S + 0.001)
        back = await caller(work)
        assert not work.is_abandoned(left_at + GRACE_S + 0.001)
        work.future.set_result(7)
        assert await back == 7

    run(body)


def test_an_error_reaches_all_callers_and_one_that_nobody_awaits_is_no_complaint() -> None:
    async def body() -> None:
        complaints: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context))
        work, unwanted = shared(), shared()
        waiting = [await caller(work) for _ in range(2)]
        for each in (work, unwanted):
            each.fail(ValueError("no"))
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(result) for result in results] == [ValueError, ValueError]
        del work, unwanted, each, waiting, results
        gc.collect()
        assert complaints == []

    run(body)
