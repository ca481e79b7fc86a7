"""Jobs at once, without a network."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from functools import partial

import pytest

from trainer_client._parallel import Pause, Stopped, in_order, in_order_async


def test_results_come_in_order_though_the_jobs_end_in_another() -> None:
    second_is_done = threading.Event()

    def first(_: Pause) -> int:
        assert second_is_done.wait(60)
        return 1

    def second(_: Pause) -> int:
        second_is_done.set()
        return 2

    assert list(in_order([first, second], 2)) == [1, 2]


@pytest.mark.parametrize("at_once", [1, 3])
def test_so_many_jobs_are_under_way_and_no_more(at_once: int) -> None:
    under_way, most, lock = set[int](), 0, threading.Lock()
    together = threading.Barrier(at_once)

    def job(number: int, _: Pause) -> int:
        nonlocal most
        with lock:
            under_way.add(number)
            most = max(most, len(under_way))
        together.wait(60)  # nobody goes on before so many are here
        with lock:
            under_way.discard(number)
        return number

    assert list(in_order([partial(job, number) for number in range(9)], at_once)) == list(range(9))
    assert most == at_once


def test_a_failure_is_raised_at_once_and_ends_the_others_at_their_next_pause() -> None:
    waits, is_stopped = threading.Event(), threading.Event()

    def slow(pause: Pause) -> None:
        try:
            waits.set()
            pause(600)
        except Stopped:
            is_stopped.set()
            raise

    def wrong(_: Pause) -> None:
        assert waits.wait(60)
        raise ValueError("wrong")

    begun = []
    with pytest.raises(ValueError, match="wrong"):
        list(in_order([slow, wrong, lambda _: begun.append(1)], 2))
    assert is_stopped.wait(60)
    assert not begun


def test_whoever_stops_reading_does_not_wait() -> None:
    is_over = threading.Event()

    def hangs(_: Pause) -> int:
        is_over.wait()
        return 2

    results = in_order([lambda _: 1, hangs], 2)
    assert next(results) == 1
    results.close()  # type: ignore[attr-defined]  # a generator
    is_over.set()


def test_one_job_needs_no_thread() -> None:
    assert list(in_order([lambda _: threading.current_thread()], 8)) == [threading.main_thread()]


def test_tasks_keep_the_order_and_the_bound() -> None:
    under_way, most = set[int](), 0

    async def job(number: int) -> int:
        nonlocal most
        under_way.add(number)
        most = max(most, len(under_way))
        for _ in range(10 - number):
            await asyncio.sleep(0)
        under_way.discard(number)
        return number

    async def run() -> list[int]:
        return [result async for result in in_order_async([partial(job, number) for number in range(9)], 3)]

    assert asyncio.run(run()) == list(range(9))
    assert most == 3


def test_tasks_are_cancelled_and_awaited_when_one_fails_or_nobody_reads_on() -> None:
    ended = []

    async def hangs() -> int:
        try:
            await asyncio.Event().wait()
            return 0
        finally:
            await asyncio.sleep(0)  # as a connection that closes
            ended.append("hangs")

    async def wrong() -> int:
        await asyncio.sleep(0)
        raise ValueError("wrong")

    async def right() -> int:
        return 1

    async def run(jobs: list[Callable[[], Awaitable[int]]]) -> None:
        async with aclosing(in_order_async(jobs, 3)) as results:
            async for _ in results:
                break

    with pytest.raises(ValueError, match="wrong"):
        asyncio.run(run([hangs, wrong]))
    asyncio.run(run([right, hangs]))
    assert ended == ["hangs", "hangs"]
