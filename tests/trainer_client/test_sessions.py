"""Connections belong to one process and one event loop."""

from __future__ import annotations

import asyncio
import gc
import os
import pickle
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from trainer_client import AsyncRewardClient, RewardClient

FOUR = r"\boxed{4}"


def test_a_new_event_loop_for_every_batch_leaves_no_socket_behind(server: str) -> None:
    client = AsyncRewardClient(f"{server}/score/verifier")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        assert asyncio.run(client.score([FOUR], ground_truths=["4"])).rewards == [1.0]
    assert len(os.listdir("/proc/self/fd")) == before


def test_many_calls_at_once_share_one_loops_connections(server: str) -> None:
    client = AsyncRewardClient(f"{server}/score/verifier")

    async def calls() -> list[Any]:
        texts = [rf"\boxed{{{i % 2}}}" for i in range(200)]
        return [
            scored.rewards for scored in await asyncio.gather(*(client.score([t], ground_truths=["1"]) for t in texts))
        ]

    assert asyncio.run(calls()) == [[float(i % 2)] for i in range(200)]


def test_loops_of_several_threads_use_one_client(server: str) -> None:
    client = AsyncRewardClient(f"{server}/score/verifier")
    with ThreadPoolExecutor(4) as pool:
        scored = pool.map(lambda _: asyncio.run(client.score([FOUR], ground_truths=["4"])).rewards, range(8))
        assert list(scored) == [[1.0]] * 8


def test_a_loop_that_ended_without_closing_is_forgotten(server: str) -> None:
    client = AsyncRewardClient(f"{server}/score/verifier")
    loop = asyncio.new_event_loop()
    loop.run_until_complete(client.score([FOUR], ground_truths=["4"]))
    loop.close()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # the socket that the loop left open
        assert asyncio.run(client.score([FOUR], ground_truths=["4"])).rewards == [1.0]
        gc.collect()
    assert not client._sessions


def test_threads_share_a_client(server: str) -> None:
    with RewardClient(f"{server}/score/verifier") as client, ThreadPoolExecutor(8) as pool:
        texts = [rf"\boxed{{{i % 2}}}" for i in range(64)]
        scored = pool.map(lambda text: client.score([text], ground_truths=["1"]).rewards, texts)
        assert list(scored) == [[float(i % 2)] for i in range(64)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_opens_its_own_connection_and_the_parents_still_works(server: str) -> None:
    with RewardClient(f"{server}/score/verifier") as client:
        client.score([FOUR], ground_truths=["4"])
        child = os.fork()
        if child == 0:
            try:
                rewards = [client.score([FOUR, "x"], ground_truths=["4", "4"]).rewards for _ in range(20)]
                os._exit(0 if rewards == [[1.0, 0.0]] * 20 else 1)
            finally:
                os._exit(2)
        rewards = [client.score(["x", FOUR], ground_truths=["4", "4"]).rewards for _ in range(20)]
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert rewards == [[0.0, 1.0]] * 20


def test_clients_pickle_without_their_connections(server: str) -> None:
    with RewardClient(f"http://u:key@{server.removeprefix('http://')}/score/verifier", deadline_s=5) as client:
        client.score([FOUR], ground_truths=["4"])
        with pickle.loads(pickle.dumps(client)) as copy:
            assert copy.url == client.url
            assert copy.score([FOUR], ground_truths=["4"]).rewards == [1.0]
