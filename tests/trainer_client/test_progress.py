"""A batch of several chunks: at once, in order, with its progress, and nothing of it lost when it fails."""

from __future__ import annotations

import asyncio
import itertools
import os
import pickle
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from answering import Asked, Said, answering, rewards_of

from trainer_client import AsyncRewardClient, BadBatch, InvalidRequest, RewardClient, Rewards, ScoredChunk, Unavailable
from trainer_client._base import CHUNKS_AT_ONCE

ROOT = Path(__file__).parents[2]
TEN = [str(number) for number in range(10)]
REFUSAL = Said(422, b'{"error": {"code": "invalid_request", "message": "no"}}')
Scorer = Callable[..., Rewards]


def score_in_threads(url: str, completions: list[str], **options: Any) -> Rewards:
    with RewardClient(f"{url}/score/rpr", **options) as client:
        return client.score(completions)


def score_in_loop(url: str, completions: list[str], **options: Any) -> Rewards:
    async def run() -> Rewards:
        async with AsyncRewardClient(f"{url}/score/rpr", **options) as client:
            return await client.score(completions)

    return asyncio.run(run())


def iterate(url: str, completions: list[str], **options: Any) -> list[ScoredChunk]:
    with RewardClient(f"{url}/score/rpr", **options) as client:
        return list(client.score_iter(completions))


def iterate_in_loop(url: str, completions: list[str], **options: Any) -> list[ScoredChunk]:
    async def run() -> list[ScoredChunk]:
        async with AsyncRewardClient(f"{url}/score/rpr", **options) as client:
            return [chunk async for chunk in client.score_iter(completions)]

    return asyncio.run(run())


@pytest.fixture(params=[score_in_threads, score_in_loop])
def score(request: pytest.FixtureRequest) -> Scorer:
    scorer: Scorer = request.param
    return scorer


def test_chunks_are_under_way_together_and_the_order_is_kept(score: Scorer) -> None:
    together = threading.Barrier(CHUNKS_AT_ONCE)

    def answer(asked: Asked) -> Said:
        together.wait(60)  # nobody is answered before so many are here
        return rewards_of(asked)

    completions = [str(number) for number in range(2 * CHUNKS_AT_ONCE)]
    with answering(answer) as url:
        assert score(url, completions, max_samples=1).rewards == [float(text) for text in completions]


@pytest.mark.parametrize("iterated", [iterate, iterate_in_loop])
def test_a_long_batch_shows_how_far_it_is(iterated: Callable[..., list[ScoredChunk]]) -> None:
    with answering(rewards_of) as url:
        chunks = iterated(url, TEN, max_samples=4)
    assert [(list(chunk.rows), chunk.done, chunk.total) for chunk in chunks] == [
        ([0, 1, 2, 3], 4, 10),
        ([4, 5, 6, 7], 8, 10),
        ([8, 9], 10, 10),
    ]
    assert [reward for chunk in chunks for reward in chunk.rewards.rewards] == [float(text) for text in TEN]


def test_a_chunk_is_handed_over_before_the_last_one_is_answered() -> None:
    first_is_read = threading.Event()

    def answer(asked: Asked) -> Said:
        if asked.json["completions"] == ["1"]:
            assert first_is_read.wait(60)
        return rewards_of(asked)

    with answering(answer) as url, RewardClient(f"{url}/score/rpr", max_samples=1) as client:
        done = []
        for chunk in client.score_iter(["0", "1"]):
            done.append(chunk.done)
            first_is_read.set()
    assert done == [1, 2]


def test_a_wrong_batch_raises_when_it_is_given_not_when_it_is_read() -> None:
    client = RewardClient("http://127.0.0.1:9/score/rpr")
    with pytest.raises(BadBatch):
        client.score_iter("x")
    with pytest.raises(BadBatch):
        AsyncRewardClient("http://127.0.0.1:9/score/rpr").score_iter(["x"], groups=[])


def test_what_was_answered_before_the_server_went_is_in_the_error(score: Scorer) -> None:
    three = threading.Semaphore(3)

    def answer(asked: Asked) -> Said:
        return rewards_of(asked) if three.acquire(blocking=False) else Said(503)

    with answering(answer) as url, pytest.raises(Unavailable, match="the last: 503.*3 of 5 chunks answered") as caught:
        score(url, TEN, max_samples=2, deadline_s=1)
    error = pickle.loads(pickle.dumps(caught.value))
    assert str(error) == str(caught.value)
    assert len(error.answered) == 3
    for chunk in error.answered:
        assert chunk.rewards.rewards == [float(TEN[row]) for row in chunk.rows]


def test_a_chunk_that_is_refused_ends_the_call_and_keeps_the_others(score: Scorer) -> None:
    others, answered = threading.Semaphore(0), itertools.count(1)

    def answer(asked: Asked) -> Said:
        if asked.json["completions"] == ["1"]:
            assert others.acquire(timeout=600)
            return REFUSAL
        next(answered)
        return rewards_of(asked)

    with answering(answer) as url:
        client = RewardClient(f"{url}/score/rpr", max_samples=1)
        seen = client.score_iter(["0", "1", "2"])
        next(seen)
        others.release()
        with pytest.raises(InvalidRequest, match="422: no .*of 3 chunks answered") as caught:
            list(seen)
        assert [0] in [list(chunk.rows) for chunk in caught.value.answered]
        client.close()


def test_a_call_in_one_chunk_says_nothing_of_chunks() -> None:
    with answering(lambda _: REFUSAL) as url, pytest.raises(InvalidRequest) as caught:
        score_in_threads(url, TEN)
    assert "chunks" not in str(caught.value)
    assert caught.value.answered == ()


def test_whoever_stops_reading_leaves_a_client_that_works() -> None:
    is_over = threading.Event()

    def answer(asked: Asked) -> Said:
        if asked.json["completions"] == ["1"]:
            is_over.wait()
        return rewards_of(asked)

    with answering(answer) as url, RewardClient(f"{url}/score/rpr", max_samples=1) as client:
        for _ in client.score_iter(["0", "1", "2"]):
            break
        assert client.score(["7"]).rewards == [7.0]
        is_over.set()


INTERRUPTED = """
import sys
from trainer_client import RewardClient

client = RewardClient(sys.argv[1] + "/score/rpr", max_samples=1)
try:
    client.score(["0", "1", "2"])
except KeyboardInterrupt:
    print("interrupted")
"""


def test_ctrl_c_ends_a_program_whose_chunks_are_under_way() -> None:
    under_way, is_over = threading.Semaphore(0), threading.Event()

    def hangs(_: Asked) -> Said:
        under_way.release()
        is_over.wait()
        return Said(503)

    with answering(hangs) as url:
        program = subprocess.Popen([sys.executable, "-c", INTERRUPTED, url], stdout=subprocess.PIPE, cwd=ROOT)
        for _ in range(3):
            assert under_way.acquire(timeout=600)
        program.send_signal(signal.SIGINT)
        assert program.communicate(timeout=600)[0] == b"interrupted\n"  # a request may take 180 s
        assert program.returncode == 0
        is_over.set()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_process_may_fork_while_chunks_are_under_way() -> None:
    is_forked = threading.Event()

    def answer(asked: Asked) -> Said:
        if asked.json["completions"] == ["1"]:
            assert is_forked.wait(60)
        return rewards_of(asked)

    with answering(answer) as url, RewardClient(f"{url}/score/rpr", max_samples=1) as client:
        seen = client.score_iter(["0", "1", "2", "3"])
        next(seen)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # 3.12: our threads hold no lock that a child needs
            child = os.fork()
        if child == 0:
            try:
                os._exit(0 if client.score(["5", "6"]).rewards == [5.0, 6.0] else 1)
            finally:
                os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        is_forked.set()
        assert [chunk.rewards.rewards for chunk in seen] == [[1.0], [2.0], [3.0]]
