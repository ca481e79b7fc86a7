from __future__ import annotations

import asyncio
import ctypes
import gc
import random
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from engine_calls import ids, run, scores, until
from slow_device import SlowSum
from tiny_models import token_ids

from reward_server.kit import shared
from reward_server.reward_model.engine import (
    DeviceHangs,
    DeviceThreadDied,
    EngineUnavailable,
    Group,
    Mode,
    NotFinite,
    RawScore,
    Work,
)
from reward_server.reward_model.local import batcher as batching
from reward_server.reward_model.local.batcher import Batcher
from reward_server.reward_model.local.device_thread import DeviceThread
from reward_server.reward_model.local.model import TransformersModel
from reward_server.types import BatchReport


@pytest.fixture
def device() -> SlowSum:
    return SlowSum()


def test_singles_of_separate_callers_are_regrouped_by_prompt(device: SlowSum) -> None:
    async def body() -> None:
        async with Batcher(device).running() as batcher:
            calls = [batcher.score(ids(*[1] * p), ids(*[2] * c)) for p, c in [(5, 1), (3, 9), (5, 2), (3, 4), (5, 3)]]
            assert list(await asyncio.gather(*calls)) == [7.0, 21.0, 9.0, 11.0, 11.0]
        assert device.calls == [[(3, [9, 4]), (5, [3, 2, 1])]]

    run(body)


def test_while_the_device_is_busy_the_next_batch_is_everything_that_came(device: SlowSum) -> None:
    async def body() -> None:
        async with Batcher(device).running() as batcher:
            device.gate.clear()
            first = asyncio.create_task(batcher.score(ids(1), ids(1)))
            await until(lambda: device.calls)
            others = [asyncio.create_task(batcher.score(ids(2, n % 3), ids(n))) for n in range(9)]
            await until(lambda: batcher.queued == 10)
            device.gate.set()
            await asyncio.gather(first, *others)
        assert [sum(len(lengths) for _, lengths in call) for call in device.calls] == [1, 9]
        assert len(device.calls[1]) == 3

    run(body)


def test_identical_samples_are_computed_once_queued_running_or_finished(device: SlowSum) -> None:
    async def body() -> None:
        async with Batcher(device).running() as batcher:
            device.gate.clear()
            running = asyncio.create_task(scores(batcher, ids(1), ids(7), ids(7)))
            await until(lambda: device.calls)
            same = asyncio.create_task(scores(batcher, ids(1), ids(7), ids(8)))
            await until(lambda: batcher.queued == 2)
            device.gate.set()
            assert list(await asyncio.gather(running, same)) == [[8.0, 8.0], [8.0, 9.0]]
            assert await batcher.score(ids(1), ids(8)) == 9.0
        assert device.calls == [[(1, [1])], [(1, [1])]]

    run(body)


def test_the_border_between_prompt_and_completion_counts(device: SlowSum) -> None:
    async def body() -> None:
        async with Batcher(device).running() as batcher:
            await asyncio.gather(batcher.score(ids(1, 2), ids(3)), batcher.score(ids(1), ids(2, 3)))
            await batcher.score(ids(1), ids(2, 3), "throughput")
        assert sum(len(call) for call in device.calls) == 3

    run(body)


def test_finished_scores_are_forgotten_beyond_the_limit(device: SlowSum, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "KEPT_SCORES", 1)

    async def body() -> None:
        async with Batcher(device).running() as batcher:
            for token in (1, 2, 2, 1):
                await batcher.score(ids(1), ids(token))
        assert len(device.calls) == 3

    run(body)


def test_work_of_a_caller_that_left_is_dropped_after_the_grace_and_only_before_it_starts(
    device: SlowSum, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports: list[BatchReport] = []

    async def body() -> None:
        async with Batcher(device, on_batch=reports.append).running() as batcher:
            device.gate.clear()
            tasks = [asyncio.create_task(batcher.score(ids(1), ids(1)))]
            await until(lambda: device.calls)
            tasks += [asyncio.create_task(batcher.score(ids(2), ids(n))) for n in (2, 3, 4)]
            await until(lambda: batcher.queued == 4)
            for task in tasks[:3]:  # the one that runs, and two that wait
                task.cancel()
            await asyncio.wait(tasks[:3])
            back = asyncio.create_task(batcher.score(ids(2), ids(3)))  # within the grace: finds its place
            await asyncio.sleep(0)
            monkeypatch.setattr(shared, "GRACE_S", 0.0)
            device.gate.set()
            assert list(await asyncio.gather(tasks[3], back)) == [6.0, 5.0]
            assert [report.dropped for report in reports] == [0, 1]
            assert await batcher.score(ids(1), ids(1)) == 2.0  # had started: finished, and kept
        assert device.calls == [[(1, [1])], [(1, [1, 1])]]
        assert batcher.queued == batcher.queued_tokens == 0

    run(body)


def test_one_of_two_callers_leaving_takes_nothing_from_the_other(device: SlowSum) -> None:
    async def body() -> None:
        async with Batcher(device).running() as batcher:
            device.gate.clear()
            leaver, stayer = (asyncio.create_task(batcher.score(ids(1), ids(1))) for _ in range(2))
            await until(lambda: device.calls)
            leaver.cancel()
            await asyncio.sleep(0.01)
            device.gate.set()
            assert await stayer == 2.0

    run(body)


def test_reports_say_what_a_batch_cost(device: SlowSum) -> None:
    reports: list[BatchReport] = []

    async def body() -> None:
        async with Batcher(device, on_batch=reports.append).running() as batcher:
            assert batcher.tokens_per_s == 0
            await scores(batcher, ids(1), ids(1), ids(2), ids(1))
            device.gate.clear()
            task = asyncio.create_task(batcher.score(ids(3, 3), ids(1, 1, 1)))
            await until(lambda: batcher.queued_tokens == 5)
            assert batcher.tokens_per_s == 100  # 10 tokens in 0.1 s
            device.gate.set()
            await task

    run(body)
    assert [report.samples for report in reports] == [2, 1]
    assert len(reports[0].queue_s) == 2
    assert all(seconds >= 0.0 for seconds in reports[0].queue_s)


def test_one_large_batch_outweighs_many_small_ones_in_the_measured_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "WINDOW_S", 0.0)

    class Paced:
        """A GPU: 1 token takes 0.01 s, 10,000 take 0.3 s."""

        def score(self, groups: Sequence[Group], mode: Mode) -> Work:
            large = len(groups[0].completions[0]) > 1
            return Work([[0.0]], 10_000 if large else 1, 0, 0, 0.3 if large else 0.01)

    async def body() -> None:
        async with Batcher(Paced()).running() as batcher:
            for token in range(50):
                await batcher.score(ids(), ids(token))
            assert batcher.tokens_per_s == pytest.approx(100)
            await batcher.score(ids(), ids(1, 1))
            # the small ones still count as 4 tokens in 0.04 s
            assert batcher.tokens_per_s == pytest.approx((4 + 10_000) / (0.04 + 0.3), rel=0.01)

    run(body)


@pytest.mark.parametrize("error", [RuntimeError("CUDA error"), SystemExit("bye"), MemoryError()])
def test_a_dying_device_thread_fails_what_waits_and_is_visible(
    device: SlowSum, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batching, "BATCH_TOKENS", 2)

    async def body() -> None:
        async with Batcher(device).running() as batcher:
            assert batcher.unready_reason is None
            device.fails_with = error
            tasks = [asyncio.create_task(batcher.score(ids(n), ids(n))) for n in range(3)]
            for result in await asyncio.gather(*tasks, return_exceptions=True):
                assert isinstance(result, DeviceThreadDied)
                assert type(error).__name__ in str(result)
            assert type(error).__name__ in str(batcher.unready_reason)
            with pytest.raises(EngineUnavailable, match=type(error).__name__):
                await batcher.score(ids(1), ids(1))
        assert len(device.calls) == 1

    run(body)


def test_a_hanging_device_fails_what_waits_and_is_visible(device: SlowSum, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "FIRST_BATCH_S", 1.0)

    async def body() -> None:
        async with Batcher(device).running() as batcher:
            device.gate.clear()
            running = asyncio.create_task(batcher.score(ids(1), ids(1)))
            await until(lambda: device.calls)
            waiting = asyncio.create_task(batcher.score(ids(2), ids(2)))
            for result in await asyncio.gather(running, waiting, return_exceptions=True):
                assert isinstance(result, DeviceHangs)
            assert "hangs: a batch of 2 tokens" in str(batcher.unready_reason)
            with pytest.raises(EngineUnavailable, match="hangs"):
                await batcher.score(ids(3), ids(3))
            device.gate.set()

    run(body)


def test_a_batch_may_take_many_times_what_the_rate_says() -> None:
    assert batching.hang_limit_s(8000, 0.0) == 900  # no rate yet
    assert batching.hang_limit_s(8000, 1000.0) == 160  # 8 s, times 20
    assert batching.hang_limit_s(10, 1000.0) == 120


def test_a_thread_killed_while_idle_is_visible(device: SlowSum) -> None:
    async def body() -> None:
        thread = DeviceThread[int, int](lambda job: job + 1)
        assert "not started" in str(thread.death)
        thread.start(asyncio.get_running_loop())
        assert await thread.run(1) == 2
        raise_in = ctypes.pythonapi.PyThreadState_SetAsyncExc
        assert raise_in(ctypes.c_ulong(thread._thread.ident or 0), ctypes.py_object(KeyboardInterrupt)) == 1
        with pytest.raises(DeviceThreadDied, match="KeyboardInterrupt"):  # noticed at the next Python instruction
            for job in range(3):
                await thread.run(job)
        assert "KeyboardInterrupt" in str(thread.death)
        with pytest.raises(DeviceThreadDied):
            await thread.run(1)

    run(body)


def test_a_completion_without_tokens_never_reaches_the_device(device: SlowSum) -> None:
    async def body() -> None:
        async with Batcher(device).running() as batcher:
            with pytest.raises(ValueError, match="at least one token"):
                await batcher.score(ids(1), ids())
        assert device.calls == []

    run(body)


def test_the_thread_has_ended_and_let_go_of_the_model_when_the_engine_is_closed() -> None:
    class SlowToFree(SlowSum):
        """A model of many tensors takes a while to free."""

        def __del__(self) -> None:
            time.sleep(0.3)
            freed.append(threading.current_thread())

    async def body() -> None:
        async with Batcher(SlowToFree()).running() as batcher:
            thread = batcher._thread._thread
            del batcher
        assert not thread.is_alive()

    freed: list[threading.Thread] = []
    run(body)
    gc.collect()
    assert len(freed) == 1


def test_closing_tells_who_still_waits(device: SlowSum, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "END_S", 0.1)

    async def body() -> None:
        async with Batcher(device).running() as batcher:
            device.gate.clear()
            task = asyncio.create_task(batcher.score(ids(1), ids(1)))
            await until(lambda: device.calls)
        with pytest.raises(EngineUnavailable, match="closed"):
            await task
        device.gate.set()
        with pytest.raises(EngineUnavailable):
            await batcher.score(ids(1), ids(1))

    run(body)


def test_the_event_loop_stays_free_while_the_model_runs(folder: Path) -> None:
    async def body() -> None:
        model = TransformersModel(folder, dtype="float32", device="cpu", threads=1)
        async with Batcher(model).running() as batcher:
            task = asyncio.create_task(scores(batcher, token_ids(1500, 1), *(token_ids(500, n) for n in range(8))))
            turns = 0
            while not task.done():
                await asyncio.sleep(0.001)
                turns += 1
            assert turns > 50  # hundreds; a loop that is held up turns once a batch

    run(body)


def test_one_text_has_one_score_in_any_company_through_the_batcher(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batching, "KEPT_SCORES", 0)
    monkeypatch.setattr(batching, "BATCH_TOKENS", 300)
    chosen = random.Random(3)
    prompt, subject = token_ids(40, 1), token_ids(50, 2)
    seen: set[RawScore] = set()

    async def body() -> None:
        for _ in range(4):  # restarts
            model = TransformersModel(folder, dtype="bfloat16", device="cpu", threads=1)
            async with Batcher(model).running() as batcher:
                for _ in range(10):
                    calls = [batcher.score(prompt, subject)]
                    for _ in range(chosen.randrange(5)):
                        others = [token_ids(chosen.randrange(1, 80), chosen.randrange(999)) for _ in range(3)]
                        after = chosen.choice([prompt, token_ids(30, 9)])
                        calls += [batcher.score(after, other) for other in others]
                    order = list(range(len(calls)))
                    chosen.shuffle(order)
                    results = await asyncio.gather(*(calls[n] for n in order))
                    seen.add(results[order.index(0)])

    run(body)
    assert len(seen) == 1


def test_nan_of_the_model_reaches_the_caller_as_an_error_of_the_sample(folder: Path) -> None:
    reports: list[BatchReport] = []

    async def body() -> None:
        model = TransformersModel(folder, dtype="float32", device="cpu", threads=1)
        with torch.no_grad():
            model._model.get_input_embeddings().weight[450] = float("inf")  # type: ignore[operator]
        async with Batcher(model, on_batch=reports.append).running() as batcher:
            calls = [batcher.score(ids(9, 10), completion) for completion in (ids(11), ids(450))]
            good, bad = await asyncio.gather(*calls, return_exceptions=True)
        assert isinstance(good, float)
        assert isinstance(bad, NotFinite)

    run(body)
    assert [report.not_finite for report in reports] == [1]
