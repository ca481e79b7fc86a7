"""The pool: a job that hangs or dies costs itself only, the queue is in order, abandoned work is dropped."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
import uvloop

from reward_server.grading.math_verify_tier import judge_with_math_verify, warm_up
from reward_server.kit import shared
from reward_server.processes import place
from reward_server.processes import pool as pools
from reward_server.processes.job import PoolEvents, WorkerDied, WorkerKilled
from reward_server.processes.pool import ProcessPool
from reward_server.processes.worker_process import WorkerLost, WorkerProcess
from reward_server.types import Outcome

HANGS = range(10**12)
"""Its sum is one C call that uses the CPU for hours."""
Scenario = Callable[[ProcessPool], Awaitable[None]]


def run(
    scenario: Scenario,
    *,
    workers: int = 2,
    hard_timeout_s: float = 1.0,
    warm_up: Callable[[], object] = os.getpid,
    loop: str = "asyncio",
) -> Counter[str]:
    """Runs the scenario with an open pool and returns how often each event happened."""
    events: Counter[str] = Counter()
    names = ("queued", "run", "demote", "kill", "death", "drop")
    heard = {f"on_{name}": lambda *_, name=name: events.update([name]) for name in names}

    async def with_pool() -> None:
        pool = ProcessPool(workers=workers, hard_timeout_s=hard_timeout_s, events=PoolEvents(**heard))
        async with pool.running(warm_up):
            await scenario(pool)

    (uvloop if loop == "uvloop" else asyncio).run(with_pool())
    return events


def workers_of_this_process() -> list[int]:
    """Not the server that other tests share, which is a child of this process too."""
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    return [int(pid) for pid in children if b"worker_process" in Path(f"/proc/{pid}/cmdline").read_bytes()]


async def filled(pool: ProcessPool, workers: int) -> None:
    """Returns once so many live; nothing is asked of the pool meanwhile."""
    while pool.living_workers != workers:
        await asyncio.sleep(0.01)  # polling, not guessing


def test_results_and_exceptions_come_back() -> None:
    async def scenario(pool: ProcessPool) -> None:
        assert await pool.submit(pow, 2, 10).result() == 1024
        with pytest.raises(ZeroDivisionError):
            await pool.submit(divmod, 1, 0).result()

    assert run(scenario) == {"queued": 2, "run": 2}


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_a_job_that_hangs_is_killed_and_its_neighbours_are_not(workers: int) -> None:
    async def scenario(pool: ProcessPool) -> None:
        hanging = [pool.submit(sum, HANGS) for _ in range(2)]
        others = [pool.submit(pow, 2, k) for k in range(20)]
        assert await asyncio.gather(*(job.result() for job in others)) == [2**k for k in range(20)]
        for job in hanging:
            with pytest.raises((WorkerKilled, WorkerDied)):  # the latter where this machine is too busy to run it
                await job.result()

    # With more than one worker each is killed in the quick lane first, and then in the slow one.
    assert run(scenario, workers=workers, hard_timeout_s=2.0)["kill"] >= (2 if workers == 1 else 4)


def test_jobs_that_hang_do_not_hold_up_the_others() -> None:
    """A hundred of them would take two workers 100 s; the others are done when at most a few slices have passed."""

    async def scenario(pool: ProcessPool) -> None:
        hanging = [pool.submit(sum, HANGS, is_slow=True) for _ in range(100)]
        began_to_hang = [pool.submit(sum, HANGS) for _ in range(2)]
        others = [pool.submit(pow, 2, k) for k in range(50)]
        await asyncio.gather(*(job.result() for job in others))
        assert not any(job.future.done() for job in began_to_hang)
        assert pool.queued_slow > 50, "the slow lane is far from done"
        assert len(hanging) == 100

    assert run(scenario, workers=3, hard_timeout_s=2.0)["kill"] >= 2


def test_a_job_that_does_not_end_within_its_slice_is_begun_again_and_comes_out_the_same() -> None:
    async def scenario(pool: ProcessPool) -> None:
        whole = partial(judge_with_math_verify, soft_timeout_s=1.0)
        sliced = partial(judge_with_math_verify, soft_timeout_s=0.1, is_whole_budget=False)
        verdict = await pool.submit(whole, "x^2+1", "x^{9^{9^{9}}}", quick_call=sliced).result()
        assert verdict.outcome is Outcome.TIMEOUT

    assert run(scenario, workers=2, hard_timeout_s=480, warm_up=warm_up)["demote"] == 1
    assert run(scenario, workers=1, hard_timeout_s=480, warm_up=warm_up)["demote"] == 0


def test_a_job_that_the_machine_did_not_let_run_is_tried_once_more_and_not_blamed() -> None:
    async def scenario(pool: ProcessPool) -> None:
        pid = await pool.submit(os.getpid).result()
        os.kill(pid, signal.SIGSTOP)
        assert await pool.submit(pow, 2, 3).result() == 8
        with pytest.raises(WorkerDied):
            await pool.submit(time.sleep, 60).result()

    assert run(scenario, workers=1)["kill"] == 3


def test_a_worker_is_warm_before_its_job_begins() -> None:
    """Also the one that takes a killed one's place while others are idle."""

    async def scenario(pool: ProcessPool) -> None:
        with pytest.raises((WorkerKilled, WorkerDied)):
            await pool.submit(sum, HANGS).result()
        seen = await asyncio.gather(*(pool.submit(time.strftime, "%Z").result() for _ in range(30)))
        assert set(seen) == {"WARM"}

    run(scenario, workers=3, warm_up=partial(exec, "import os, time; os.environ['TZ'] = 'WARM'; time.tzset()"))


def test_waiting_in_the_queue_does_not_count_towards_the_hard_limit() -> None:
    async def scenario(pool: ProcessPool) -> None:
        jobs = [pool.submit(time.sleep, 0.3) for _ in range(6)]  # 1.8 s in all, one worker, 1 s each at the most
        await asyncio.gather(*(job.result() for job in jobs))

    assert run(scenario, workers=1)["kill"] == 0


def test_a_worker_that_dies_costs_one_retry_and_a_job_that_kills_two_is_an_error() -> None:
    async def scenario(pool: ProcessPool) -> None:
        with pytest.raises(WorkerDied):
            await pool.submit(os._exit, 1).result()
        assert await pool.submit(pow, 2, 2).result() == 4
        pid = await pool.submit(os.getpid).result()
        os.kill(pid, signal.SIGKILL)
        assert await pool.submit(pow, 2, 3).result() == 8

    assert run(scenario, workers=1)["death"] >= 2


def forked(number: int) -> int:
    """The number, and in the copy that it leaves behind another one."""
    return number if os.fork() else -1


def test_a_copy_that_a_job_forks_sends_no_reply_that_the_next_job_would_get() -> None:
    async def scenario(pool: ProcessPool) -> None:
        for number in range(20):
            found = [await pool.submit(forked, number).result(), await pool.submit(pow, number, 2).result()]
            assert found == [number, number**2]

    run(scenario, workers=1)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_after_all_workers_are_killed_they_come_back_without_any_job(loop: str) -> None:
    async def scenario(pool: ProcessPool) -> None:
        for storm in range(3):
            assert pool.living_workers == 3
            for pid in workers_of_this_process():
                os.kill(pid, signal.SIGKILL)
            while pool.living_workers:
                await asyncio.sleep(0)
            await filled(pool, 3)
            assert await pool.submit(pow, 2, storm).result() == 2**storm

    assert run(scenario, workers=3, loop=loop) == {"death": 9, "queued": 3, "run": 3}


def test_a_closed_pipe_is_a_lost_worker_under_uvloop_too() -> None:
    async def scenario() -> None:
        worker = await WorkerProcess.start(os.getpid, ())
        os.kill(await worker.run(os.getpid, ()), signal.SIGKILL)
        await worker.gone()
        for _ in range(3):
            with pytest.raises(WorkerLost):
                await worker.run(os.getpid, ())
            await asyncio.sleep(0.05)  # whether or not the loop has seen that the pipe is closed

    uvloop.run(scenario())
    asyncio.run(scenario())


def test_a_worker_that_cannot_be_warmed_up_is_ended_and_its_place_filled_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(place, "RESTART_PAUSE_S", 0.01)
    monkeypatch.setattr(place, "MAX_RESTART_PAUSE_S", 0.01)
    broken, pids = tmp_path / "broken", tmp_path / "pids"
    warm_up = f"""import os, pathlib
with open({str(pids)!r}, "a") as file: print(os.getpid(), file=file)
if pathlib.Path({str(broken)!r}).exists(): raise ImportError("a library is being replaced")"""

    async def scenario(pool: ProcessPool) -> None:
        first = await pool.submit(os.getpid).result()
        broken.touch()
        os.kill(first, signal.SIGKILL)
        for _ in range(3):
            with pytest.raises((ImportError, WorkerDied)):
                await pool.submit(os.getpid).result()
        started = {int(pid) for pid in pids.read_text().split()}
        assert len(started) > 3
        assert isinstance(pool.problem, ImportError) and pool.living_workers == 0
        broken.unlink()
        await filled(pool, 1)
        assert pool.problem is None
        assert (
            len([pid for pid in {int(pid) for pid in pids.read_text().split()} if Path(f"/proc/{pid}").exists()]) == 1
        )
        assert await pool.submit(pow, 2, 3).result() == 8

    run(scenario, workers=1, warm_up=partial(exec, warm_up))
    assert "a worker could not be started" in caplog.text


def stops_the_first(first: str) -> None:
    """A warm-up whose first process is stopped; it stays so until somebody ends it."""
    with suppress(FileExistsError):
        os.close(os.open(first, os.O_CREAT | os.O_EXCL))
        os.kill(os.getpid(), signal.SIGSTOP)


def test_a_worker_that_stops_while_it_starts_is_ended_and_replaced(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(pools, "START_LIMIT_S", 5.0)

    async def scenario(pool: ProcessPool) -> None:
        assert pool.living_workers == 1
        assert await pool.submit(abs, -3).result() == 3

    events = run(scenario, workers=1, warm_up=partial(stops_the_first, str(tmp_path / "first")))
    assert events["death"] == 1
    assert workers_of_this_process() == []


def test_a_job_has_any_number_of_waiters_and_survives_one_that_leaves() -> None:
    async def scenario(pool: ProcessPool) -> None:
        job = pool.submit(time.sleep, 0.2)
        leaving = asyncio.create_task(job.result())
        staying = asyncio.create_task(job.result())
        while job.callers < 2:
            await asyncio.sleep(0)
        leaving.cancel()
        await staying
        assert job.future.done()

    assert run(scenario)["drop"] == 0


def _wait_while(path: str) -> None:
    while Path(path).exists():
        time.sleep(0.01)  # polling a file; the test decides when it goes


def test_queued_work_is_dropped_only_after_everybody_left_and_the_grace_passed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(shared, "GRACE_S", 0.2)
    (gate := tmp_path / "gate").touch()

    async def scenario(pool: ProcessPool) -> None:
        busy = pool.submit(_wait_while, str(gate))
        jobs = [pool.submit(os.getpid) for _ in range(3)]
        waiting = [asyncio.create_task(job.result()) for job in jobs]
        while not all(job.callers for job in jobs):
            await asyncio.sleep(0)
        for task in waiting[:2]:
            task.cancel()
        while not all(job.is_abandoned(time.monotonic()) for job in jobs[:2]):
            await asyncio.sleep(0.01)
        assert not jobs[2].is_abandoned(time.monotonic())
        gate.unlink()
        assert isinstance(await waiting[2], int)
        assert busy.future.done()

    events = run(scenario, workers=1)
    assert (events["drop"], events["run"]) == (2, 2)


def test_the_estimated_wait_follows_the_measured_rate() -> None:
    async def scenario(pool: ProcessPool) -> None:
        assert pool.estimated_wait_s == 0
        started = time.monotonic()
        await asyncio.gather(*(pool.submit(time.sleep, 0.05).result() for _ in range(60)))
        a_job_s = (time.monotonic() - started) / 60  # 0.05, and what a busy machine adds
        jobs = [pool.submit(time.sleep, 0.05) for _ in range(10)]
        # 10 jobs on one worker; the average is still moving there from its start at 0.01
        assert 0.3 < pool.estimated_wait_s < 10 * a_job_s * 2
        await asyncio.gather(*(job.result() for job in jobs))
        assert pool.queued == 0

    run(scenario, workers=1)


def _hash_of_text() -> int:
    return hash("a text")


HISTORY = [
    (r"\ln 4", r"2\ln 2"),
    (r"\sin 2x", r"2\sin x\cos x"),
    (r"\sqrt{x^2}", "|x|"),
    (r"x^2-\ln x=1", r"\ln x=x^2-1"),
]


def test_no_result_depends_on_which_worker_computed_it() -> None:
    """Sets of text have one order in every worker, and SymPy's random numbers begin anew with each pair."""

    async def scenario(pool: ProcessPool) -> None:
        hashes = await asyncio.gather(*(pool.submit(_hash_of_text).result() for _ in range(12)))
        assert len(set(hashes)) == 1
        alone = await _verdict_and_draw(pool, 0)
        for pairs in range(1, len(HISTORY) + 1):
            assert await _verdict_and_draw(pool, pairs) == alone

    run(scenario, workers=3, hard_timeout_s=60.0, warm_up=warm_up)


async def _verdict_and_draw(pool: ProcessPool, pairs: int) -> tuple[Outcome, float]:
    return await pool.submit(_after, HISTORY[:pairs]).result()


def _after(history: list[tuple[str, str]]) -> tuple[Outcome, float]:
    """The verdict on one pair after others, and the next number that SymPy would draw."""
    from sympy.core.random import rng

    rng.seed(len(history))  # whatever it was
    for pair in history:
        judge_with_math_verify(*pair, soft_timeout_s=30.0)
    verdict = judge_with_math_verify(r"\tan x", r"\frac{\sin x}{\cos x}", soft_timeout_s=30.0)
    return verdict.outcome, rng.random()
