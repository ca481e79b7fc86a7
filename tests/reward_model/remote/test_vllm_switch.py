"""Which vLLM servers are taken at their word that a score is raw, on the stand-in."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator

import pytest
from engine_calls import ids, run
from vllm_stand_in import StandIn, refused, running_stand_in, sigmoid

from reward_server.reward_model.remote.engine import RemoteEngine
from reward_server.reward_model.remote.kinds import Vllm


@pytest.fixture
def server() -> Iterator[StandIn]:
    with running_stand_in() as running:
        yield running


def test_a_server_that_ignores_the_switch_is_refused(server: StandIn) -> None:
    server.knows_switch = False
    assert "ignores `use_activation`" in refused(server)


def test_a_server_that_ignores_the_switch_is_refused_also_when_its_scores_are_noisy(server: StandIn) -> None:
    noise = itertools.count()

    def noisy(ids: list[int]) -> tuple[int, str]:
        score = sigmoid(sum(ids) / 100) + 0.001 * next(noise)
        return 200, json.dumps({"data": [{"index": 0, "probs": [score], "num_classes": 1}]})

    server.behave = noisy
    assert "ignores `use_activation`" in refused(server)


@pytest.mark.parametrize("number", ["NaN", "-Infinity"])
def test_a_model_without_finite_scores_is_refused(server: StandIn, number: str) -> None:
    server.behave = lambda ids: (200, f'{{"data": [{{"probs": [{number}]}}]}}')
    assert "no score for a few token ids: the model gave" in refused(server)


def test_a_model_with_an_activation_of_its_own_is_served_where_the_switch_is_known(server: StandIn) -> None:
    server.activation = math.tanh

    async def body() -> None:
        async with RemoteEngine.connected(Vllm(), server.url) as engine:
            assert await engine.score(ids(50), ids(50)) == 1.0

    run(body)


def test_a_model_without_activation_is_served(server: StandIn) -> None:
    server.activates = False

    async def body() -> None:
        async with RemoteEngine.connected(Vllm(), server.url) as engine:
            assert await engine.score(ids(50), ids(0)) == 0.5

    run(body)
