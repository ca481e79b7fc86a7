"""Both clients against a real server: what they make of its replies, not what it replies."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import pytest

from trainer_client import (
    AsyncRewardClient,
    BadBatch,
    InvalidRequest,
    RequestRefused,
    RewardClient,
    TooLarge,
    Unauthorized,
    Unavailable,
    UnknownReward,
)

FOUR = r"so \boxed{4}"
StartServer = Callable[..., AbstractContextManager[Any]]


@pytest.fixture
def verifier(server: str) -> Iterator[RewardClient]:
    with RewardClient(f"{server}/score/verifier") as client:
        yield client


@pytest.fixture
def flip(server: str) -> Iterator[RewardClient]:
    with RewardClient(f"{server}/score/flip?flip_prob=1") as client:
        yield client


def test_a_batch_is_scored_in_order(verifier: RewardClient) -> None:
    scored = verifier.score([FOUR, "no box", r"\boxed{5}", FOUR], ground_truths=["4", "4", "4", None])
    assert scored.rewards == [1.0, 0.0, 0.0, None]
    assert scored.outcomes == ["correct", "unanswered", "incorrect", "ungradable"]
    assert scored.parts["clean"] == [1.0, 0.0, 0.0, None]
    assert (scored.reward, scored.unscored, scored.mean("clean")) == ("verifier", [3], 1 / 3)
    assert scored.config and scored.version


def test_the_twin_says_the_same(server: str, verifier: RewardClient) -> None:
    async def twin() -> tuple[Any, ...]:
        async with AsyncRewardClient(f"{server}/score/verifier") as client:
            scored = await client.score([FOUR], ground_truths=["4"])
            explained = await client.explain(FOUR, ground_truth="4")
            return (
                scored,
                explained["answer"],
                await client.ready(),
                await client.post({"query": [FOUR], "labels": ["4"]}),
            )

    scored, answer, ready, dialect = asyncio.run(twin())
    assert scored == verifier.score([FOUR], ground_truths=["4"])
    assert answer == verifier.explain(FOUR, ground_truth="4")["answer"] == {"text": "4", "start": 10, "end": 11}
    assert ready == verifier.ready()
    assert dialect == verifier.post({"query": [FOUR], "labels": ["4"]})


def test_every_column_arrives(flip: RewardClient) -> None:
    # flip_prob=1 turns every exposed sample: 1 becomes 0, unless `flips` is false.
    scored = flip.score([FOUR, FOUR], ground_truths=["4", "4"], groups=["q", "q"], visits=[0, 1], flips=[True, False])
    assert scored.rewards == [0.0, 1.0]
    first, second = scored.parts["flip_draw"]
    assert first != second  # the visit keys the draw
    messages = [{"role": "user", "content": "q"}]
    by_text, by_messages = flip.score([FOUR] * 2, ground_truths=["4"] * 2, prompts=["q", messages]).parts["flip_draw"]
    assert by_text == first  # without `groups` the prompt names the question
    assert by_messages != first


def test_columns_of_numpy_are_columns(flip: RewardClient) -> None:
    plain = flip.score([FOUR, FOUR], ground_truths=[4, 5], groups=[1, 2], visits=[0, 1], flips=[True, False])
    completions, groups = np.array([FOUR, FOUR]), np.array([1, 2])
    from_numpy = flip.score(
        completions,  # type: ignore[arg-type]  # is no Sequence for a type checker
        ground_truths=np.array([4, 5]),
        groups=groups,
        visits=np.arange(2),
        flips=np.array([True, False]),
    )
    assert from_numpy == plain


def test_an_empty_batch_is_an_empty_result_and_checks_the_parameters(server: str, verifier: RewardClient) -> None:
    assert verifier.score([]).rewards == []
    with (
        RewardClient(f"{server}/score/flip?flip_probability=0.4") as client,
        pytest.raises(InvalidRequest, match="flip_prob"),
    ):
        client.score([])


def test_a_batch_in_chunks_is_the_batch_in_one(server: str, verifier: RewardClient) -> None:
    completions, ground_truths = [rf"\boxed{{{i % 7}}}" for i in range(100)], [str(i % 3) for i in range(100)]
    with RewardClient(f"{server}/score/verifier", max_samples=9, max_body_mb=0.0002) as client:
        assert client.score(completions, ground_truths=ground_truths) == verifier.score(
            completions, ground_truths=ground_truths
        )


@pytest.mark.parametrize("text", ["", "\x00", "\ud800 \\boxed{4}", "é汉🦉", "\\boxed{4}" * 10_000])
def test_any_text_can_be_sent(verifier: RewardClient, text: str) -> None:
    assert verifier.score([text], ground_truths=["4"]).rewards == [1.0 if "boxed" in text else 0.0]


def test_a_wrong_batch_is_refused_before_it_is_sent() -> None:
    client = RewardClient("http://127.0.0.1:9/score/verifier")  # nobody listens there
    with pytest.raises(BadBatch):
        client.score([FOUR], ground_truths=["4", "5"])
    with pytest.raises(BadBatch):
        client.score(FOUR, ground_truths=["4"])


@pytest.mark.parametrize(
    ("path", "batch", "error", "message"),
    [
        ("verifer", {}, UnknownReward, "known: verifier"),
        ("verifier", {}, InvalidRequest, "needs a ground truth"),
        ("verifier?alpha=-1", {"ground_truths": ["4"]}, InvalidRequest, "alpha"),
        ("verifier", {"ground_truths": ["4"], "visits": ["x"]}, InvalidRequest, "visits"),
        ("rm", {"prompts": ["q"]}, RequestRefused, "501"),
    ],
)
def test_the_server_says_what_is_wrong(
    server: str, path: str, batch: dict[str, Any], error: type[Exception], message: str
) -> None:
    with RewardClient(f"{server}/score/{path}") as client, pytest.raises(error, match=message):
        client.score([FOUR], **batch)


def test_a_batch_over_the_servers_limit_is_refused_and_not_asked_again(server: str) -> None:
    with (
        RewardClient(f"{server}/score/rpr", max_samples=5000) as client,
        pytest.raises(TooLarge, match="max_samples=4096"),
    ):
        client.score(["x"] * 5000)


@pytest.mark.parametrize("how", ["argument", "url", "variable"])
def test_a_key_opens_a_locked_server(keyed_server: str, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"{keyed_server}/score/verifier"
    if how == "url":
        url = url.replace("http://", "http://user:sesame@")
    if how == "variable":
        monkeypatch.setenv("REWARD_API_KEY", "sesame")
    with RewardClient(url, api_key="sesame" if how == "argument" else None) as client:
        assert client.score([FOUR], ground_truths=["4"]).rewards == [1.0]


def test_without_the_key_it_stays_locked(keyed_server: str) -> None:
    with RewardClient(f"{keyed_server}/score/verifier", api_key="open") as client, pytest.raises(Unauthorized):
        client.score([FOUR], ground_truths=["4"])


def test_nobody_at_home_is_unavailable_after_the_deadline_and_not_ready() -> None:
    client = RewardClient("http://127.0.0.1:9/score/verifier", deadline_s=0.5)
    with pytest.raises(Unavailable, match="ConnectError"):
        client.score([FOUR], ground_truths=["4"])
    assert not client.ready()
    assert "ConnectError" in client.ready().reason


def test_a_batch_outlasts_a_server_that_is_killed_and_comes_back(start_server: StartServer) -> None:
    with start_server() as (url, process), RewardClient(f"{url}/score/verifier") as client:
        assert client.score([FOUR], ground_truths=["4"]).rewards == [1.0]
        process.kill()
        process.wait()
        assert not client.ready()
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(client.score, [FOUR], ground_truths=["4"])
            with start_server(port=int(url.rpartition(":")[2])):
                assert waiting.result().rewards == [1.0]
