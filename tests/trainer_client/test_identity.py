"""Who asks, and under which id: what the server logs of a call, and what the call's result and errors say of it."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any, get_type_hints

import pytest
from answering import Asked, Said, answering, rewards_of
from running_server import RunningServer, running_server, until

from trainer_client import AsyncRewardClient, InvalidRequest, RewardClient, UnknownReward
from trainer_client.adapters import _shared, areal, easyr1, openrlhf, slime, trl, verl

FOUR = r"\boxed{4}"
ID = re.compile(r"[0-9a-f]{16}")


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("logged") / "log") as running:
        yield running


def line_of(server: RunningServer, request_id: str) -> dict[str, Any]:
    def found() -> list[dict[str, Any]]:
        return [line for line in server.log_lines() if line.get("request_id") == request_id]

    until(lambda: bool(found()))
    (line,) = found()
    return line


def test_the_server_logs_a_request_under_the_id_that_its_result_has(logged: RunningServer) -> None:
    with RewardClient(f"{logged.url}/score/rpr", max_samples=2) as client:
        one, several = client.score(["a"]), client.score(["a", "b", "c"])
    assert ID.fullmatch(one.request_id) and ID.fullmatch(several.request_id)
    assert line_of(logged, one.request_id)["samples"] == 1
    assert [line_of(logged, f"{several.request_id}-{number}")["samples"] for number in (1, 2)] == [2, 1]


def test_each_chunk_has_its_own_id_and_every_call_another() -> None:
    ids = []

    def answer(asked: Asked) -> Said:
        ids.append(asked.headers["x-request-id"])
        return rewards_of(asked)

    with answering(answer) as url, RewardClient(f"{url}/score/rpr", max_samples=1) as client:
        chunks = list(client.score_iter(["0", "1"]))
        client.score(["0"])
    assert sorted(ids[:2]) == [chunk.rewards.request_id for chunk in chunks]
    assert len(set(ids)) == 3


def test_tries_of_one_question_have_one_id() -> None:
    ids = []

    def answer(asked: Asked) -> Said:
        ids.append(asked.headers["x-request-id"])
        return rewards_of(asked) if len(ids) == 3 else Said(503)

    with answering(answer) as url, RewardClient(f"{url}/score/rpr") as client:
        assert client.score(["4"]).request_id == ids[0]
    assert len(set(ids)) == 1 and len(ids) == 3


def test_the_server_logs_a_refused_request_under_the_id_that_the_error_has(logged: RunningServer) -> None:
    with RewardClient(f"{logged.url}/score/verifer") as client, pytest.raises(UnknownReward) as caught:
        client.score(["a"])
    assert line_of(logged, caught.value.request_id)["status"] == 404
    assert str(caught.value).endswith(f"(request {caught.value.request_id})")


def test_an_id_that_a_gateway_puts_in_its_place_is_the_one_that_counts() -> None:
    def gateway(asked: Asked) -> Said:
        said = rewards_of(asked)
        return Said(body=said.body, headers={"X-Request-Id": f"gateway-{asked.json['completions'][0]}"})

    with answering(gateway) as url, RewardClient(f"{url}/score/rpr", max_samples=1) as client:
        assert client.score(["4"]).request_id == "gateway-4"
        assert client.score(["4", "5"]).request_id == "gateway-4+gateway-5"


def test_a_reply_of_another_server_has_the_request_s_id() -> None:
    from trainer_client import BadReply

    with (
        answering(lambda _: Said(headers={"X-Request-Id": "theirs"})) as url,
        RewardClient(f"{url}/score/rpr") as client,
        pytest.raises(BadReply, match="not the reply of a reward server.*request theirs"),
    ):
        client.score(["4"])


def called(call: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch) -> str:
    """The User-Agent that a call of an adapter has."""
    seen = []

    def answer(asked: Asked) -> Said:
        seen.append(asked.headers["user-agent"])
        return Said(422, b'{"error": {"code": "c", "message": "no"}}')

    with answering(answer) as url:
        monkeypatch.setenv("REWARD_URL", f"{url}/score/rpr")
        with pytest.raises(InvalidRequest, match="no"):
            call(f"{url}/score/rpr")
    (agent,) = set(seen)
    return str(agent)


SAMPLE = SimpleNamespace(prompt="q", response="x", label="4", metadata={})
CALLS = {
    "areal": lambda url: areal.reward_fn("q", "x", reward_url=url),
    "easyr1": lambda url: easyr1.compute_score([{"response": "x", "ground_truth": "4"}], url=url),
    "openrlhf": lambda url: openrlhf.reward_from(url, ["x"], [""], ["4"]),
    "slime": lambda _: asyncio.run(slime.reward(SimpleNamespace(reward_key=None), SAMPLE)),
    "trl": lambda url: closed(trl.RewardFunction(url))(["q"], ["x"]),
    "verl": lambda url: asyncio.run(verl.compute_score("math", "x", "4", url=url)),
}


def closed(function: trl.RewardFunction) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        with function._client:
            return function(*arguments)

    return call


@pytest.mark.parametrize("adapter", CALLS)
def test_the_user_agent_names_the_trainer(adapter: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[RewardClient] = []

    class Kept(RewardClient):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            made.append(self)

    monkeypatch.setattr(_shared, "RewardClient", Kept)  # they are closed here, and otherwise with their process
    _shared.sync_client.cache_clear()
    _shared.async_client.cache_clear()
    agent = called(CALLS[adapter], monkeypatch)
    for client in made:
        client.close()
    _shared.sync_client.cache_clear()
    _shared.async_client.cache_clear()
    assert re.fullmatch(rf"trainer-client/\d+\.\d+\S* \({adapter}\)", agent)


def test_a_client_of_one_s_own_says_its_version(logged: RunningServer) -> None:
    with RewardClient(f"{logged.url}/score/rpr") as client:
        line = line_of(logged, client.score(["a"]).request_id)
    assert re.fullmatch(r"trainer-client/\d+\.\d+\S*", line["agent"])


def test_what_the_server_can_pay_is_listed(keyed_server: str) -> None:
    with RewardClient(f"{keyed_server}/score/rpr", api_key="sesame") as client:
        listed = client.rewards()
    assert {"verifier", "flip", "rpr", "rm"} <= {reward["name"] for reward in listed["rewards"]}
    assert listed["version"]

    async def twin() -> Any:
        async with AsyncRewardClient(f"{keyed_server}/score/rpr", api_key="sesame") as client:
            return await client.rewards()

    assert asyncio.run(twin()) == listed


def test_texts_are_texts_to_a_type_checker() -> None:
    for method in (RewardClient.score, RewardClient.score_iter, AsyncRewardClient.score, AsyncRewardClient.score_iter):
        assert get_type_hints(method)["completions"] == Sequence[str]


def test_the_log_has_no_line_for_each_request(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with answering(rewards_of) as url, RewardClient(f"{url}/score/rpr") as client:
        client.score(["4"])
    assert not caplog.messages
