"""Several replicas of one reward: a group stays on one of them, and goes to the next while that one is gone."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from contextlib import ExitStack
from typing import Any

import pytest
from answering import Asked, Said, answering, rewards_of

from trainer_client import AsyncRewardClient, BadConfiguration, RewardClient, Rewards
from trainer_client._replicas import preferred, shares

THREE = ["http://a:1", "http://b:1", "http://c:1"]
GROUPS = [f"q-{number // 4}" for number in range(120)]  # 30 groups of 4
TEXTS = [str(number) for number in range(120)]


class Replica:
    """Keeps what it was sent; gone while `is_gone`."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []
        self.requests = 0
        self.is_gone = False
        self._lock = threading.Lock()

    def answer(self, asked: Asked) -> Said:
        if self.is_gone:
            return Said(503)
        if asked.method == "GET":
            return Said()
        with self._lock:
            self.requests += 1
            self.seen += zip(asked.json["groups"], asked.json["completions"], strict=True)
        return rewards_of(asked)


@pytest.fixture
def replicas() -> Any:
    with ExitStack() as stack:
        found = [Replica() for _ in range(3)]
        yield found, [f"{stack.enter_context(answering(replica.answer))}/score/rpr" for replica in found]


def test_a_group_goes_to_one_replica_and_the_order_is_kept(replicas: Any) -> None:
    found, urls = replicas
    with RewardClient(urls) as client:
        assert client.score(TEXTS, groups=GROUPS).rewards == [float(text) for text in TEXTS]
        assert [replica.requests for replica in found] == [1, 1, 1]
        client.score(TEXTS, groups=GROUPS)
    of_group = [{group for group, _ in replica.seen} for replica in found]
    assert sum(map(len, of_group)) == 30  # no group on two
    assert min(map(len, of_group)) >= 3


def test_the_twin_sends_the_same_groups_to_the_same_replicas(replicas: Any) -> None:
    found, urls = replicas

    async def score() -> Rewards:
        async with AsyncRewardClient(urls, max_samples=7) as client:
            return await client.score(TEXTS, groups=GROUPS)

    with RewardClient(urls) as client:
        client.score(TEXTS, groups=GROUPS)
    before = [sorted(replica.seen) for replica in found]
    assert asyncio.run(score()).rewards == [float(text) for text in TEXTS]
    assert [sorted(replica.seen) for replica in found] == [sorted(seen * 2) for seen in before]


def test_a_replica_that_is_gone_is_stood_in_for(replicas: Any) -> None:
    found, urls = replicas
    found[1].is_gone = True
    with RewardClient(urls, max_samples=10) as client:
        assert client.score(TEXTS, groups=GROUPS).rewards == [float(text) for text in TEXTS]
        assert not client.ready()
        assert urls[1].removesuffix("/score/rpr") in client.ready().reason
    assert not found[1].seen and found[2].seen


def test_chunks_of_several_replicas_say_which_samples_they_have(replicas: Any) -> None:
    with RewardClient(replicas[1], max_samples=16) as client:
        chunks = list(client.score_iter(TEXTS, groups=GROUPS))
    assert sorted(row for chunk in chunks for row in chunk.rows) == list(range(120))
    assert all(chunk.rewards.rewards == [float(row) for row in chunk.rows] for chunk in chunks)
    assert [chunk.rows[0] for chunk in chunks] == sorted(chunk.rows[0] for chunk in chunks)
    assert chunks[-1].done == chunks[-1].total == 120


def test_with_a_replica_less_only_its_groups_move() -> None:
    before = {group: preferred(group, THREE) for group in range(3000)}
    after = {group: preferred(group, THREE[:2]) for group in range(3000)}
    assert all(after[group] == replica for group, replica in before.items() if replica < 2)
    assert min(Counter(before.values()).values()) > 850  # of 1,000 expected


@pytest.mark.parametrize(
    "columns",
    [
        {"groups": [1, 2] * 50},
        {"groups": [None] * 100, "prompts": ["a", "b"] * 50},
        {"prompts": [[{"role": "user", "content": text}] for text in ("a", "b")] * 50},
        {"ground_truths": ["4", "5"] * 50},
    ],
)
def test_what_belongs_together_is_the_group_or_else_the_prompt_or_the_ground_truth(columns: Any) -> None:
    given = {"completions": TEXTS[:100], **columns}
    assert [list(rows) for rows in shares(given, 100, [str(number) for number in range(1000)]).values()] == [
        list(range(0, 100, 2)),
        list(range(1, 100, 2)),
    ]


def test_samples_of_which_nothing_is_known_are_spread() -> None:
    assert len(shares({"completions": TEXTS}, 120, THREE)) == 3


def test_replicas_are_of_one_reward() -> None:
    for other in ("http://b:1/score/verifier", "http://b:1/score/rpr?saturation=40"):
        with pytest.raises(BadConfiguration, match="differ in their host alone"):
            RewardClient(["http://a:1/score/rpr", other])
    with pytest.raises(BadConfiguration, match="empty"):
        RewardClient([])
    client = RewardClient(["http://u:sesame@a:1/score/rpr", "http://b:1/score/rpr"])
    assert "sesame" not in repr(client) and "b:1" in repr(client)
    assert client.url.root == "http://a:1"
