"""Several replicas behind the proxy: equal, and dispensable. Run by `make docker-test`."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest
from docker.load import Sample, post_singles, samples
from docker.seen import requests
from docker.stack import Stack, address, health, inspect, until

from trainer_client import RewardClient


def test_three_replicas_give_the_same_bytes(three: Stack) -> None:
    load = samples(400)
    body = {
        "completions": ["wait, let me check: " + sample.completion for sample in load],
        "ground_truths": [sample.ground_truth for sample in load],
        "groups": [n // 8 for n in range(len(load))],
    }
    for path in ("/score/verifier?alpha=0.1", "/score/flip?flip_prob=0.4&seed=17", "/score/rpr"):
        urls = [*map(address, three.containers("reward-server")), three.url]
        replies = [httpx.post(url + path, json=body, timeout=170) for url in urls]
        assert [reply.status_code for reply in replies] == [200] * 4
        assert len({reply.content for reply in replies}) == 1, path
    print(f"\n{len(load)} samples, 3 rewards, 3 replicas and the proxy: the same bytes")


def test_a_replica_killed_under_load_costs_retries_only_to_one_sample_requests(three: Stack) -> None:
    load = samples(3000)
    with killed_under_load(three):
        outcomes = post_singles(three.url, load)
    assert [outcome.reward for outcome in outcomes] == [sample.reward for sample in load]
    print(f"\n3000 rewards right; sent again by the caller: {sum(outcome.retries for outcome in outcomes)}")


def test_a_replica_killed_under_load_costs_retries_only_to_trainer_client(
    three: Stack, caplog: pytest.LogCaptureFixture
) -> None:
    load = samples(3000)
    batches = [load[start : start + 20] for start in range(0, len(load), 20)]
    caplog.set_level(logging.DEBUG, "trainer_client")
    with RewardClient(three.url + "/score/verifier") as client, ThreadPoolExecutor(8) as threads:

        def score(rows: list[Sample]) -> list[float | None]:
            texts = ["Let me think. " * 300 + row.completion for row in rows]  # 84 KB: over the proxy's buffer
            return client.score(texts, ground_truths=[row.ground_truth for row in rows]).rewards

        with killed_under_load(three):
            rewards = [reward for batch in threads.map(score, batches) for reward in batch]
    assert rewards == [sample.reward for sample in load]
    again = sum("again" in record.getMessage() for record in caplog.records)
    print(f"\n150 batches of 20 right; sent again by trainer_client: {again}")


@contextmanager
def killed_under_load(project: Stack) -> Iterator[None]:
    """While the body sends its load, one replica is killed with SIGKILL; the engine starts it again."""
    victim = project.containers("reward-server")[0]
    before, restarts = len(requests(victim)), inspect(victim)["RestartCount"]

    def kill() -> None:
        until(lambda: len(requests(victim)) > before + 20, "the victim is at work")
        os.kill(inspect(victim)["State"]["Pid"], signal.SIGKILL)  # needs root; `docker kill` would keep it down

    with ThreadPoolExecutor(1) as thread:
        killed = thread.submit(kill)
        yield
        killed.result()
    until(lambda: inspect(victim)["RestartCount"] > restarts and health(victim) == "healthy", "it is started again")
