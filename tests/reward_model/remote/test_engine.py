"""The contract with vLLM's `/classify`, on a stand-in that behaves as vLLM 0.32 was seen to."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest
from engine_calls import ids, run, scores, until
from vllm_stand_in import MAX_LENGTH, StandIn, refused, running_stand_in

from reward_server.kit import shared
from reward_server.kit.retry import retry_delay_s
from reward_server.reward_model.engine import NotFinite, RemoteRefused, RemoteUnavailable
from reward_server.reward_model.remote import engine as engine_module
from reward_server.reward_model.remote.engine import RemoteEngine
from reward_server.reward_model.remote.kinds import Vllm
from reward_server.types import BatchReport


@pytest.fixture
def server() -> Iterator[StandIn]:
    with running_stand_in() as running:
        yield running


def test_scores_are_raw_in_order_and_by_token_ids(server: StandIn) -> None:
    reports: list[BatchReport] = []

    async def body() -> None:
        async with RemoteEngine.connected(Vllm(), server.url, api_key="secret", on_batch=reports.append) as engine:
            assert await scores(engine, ids(1, 2), ids(97), ids(3, 4), ids(297)) == [1.0, 0.1, 3.0]
            assert engine.unready_reason is None
            assert engine.max_tokens == MAX_LENGTH
            assert engine.config == {"engine": "vllm", "model": "rm"}

    run(body)
    by_input = {str(sent["input"]): sent for sent in server.bodies}
    assert by_input["[[1, 2, 97]]"] == {
        "model": "rm",
        "input": [[1, 2, 97]],
        "use_activation": False,
        "add_special_tokens": False,
    }
    assert set(server.headers) == {"Bearer secret"}
    assert sorted(report.tokens_computed for report in reports) == [3, 3, 4]


def test_several_labels_are_refused(server: StandIn) -> None:
    server.labels = 2
    assert "no single score" in refused(server)


def test_an_unknown_model_is_refused_with_the_known_ones(server: StandIn) -> None:
    assert "no model 'mine' (rm_served_name); it serves rm" in refused(server, served_name="mine")


def test_something_else_than_vllm_is_refused(server: StandIn) -> None:
    server.behave = lambda ids: (200, "<html>hello</html>")
    assert "not JSON" in refused(server)


def test_no_server_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "ATTEMPTS", 2)

    async def body() -> None:
        with pytest.raises(RemoteUnavailable, match=r"server http://127.0.0.1:9 failed 2 times: ConnectError"):
            async with RemoteEngine.connected(Vllm(), "http://user:password@127.0.0.1:9"):
                pass

    run(body)


@pytest.mark.parametrize("trouble", [(502, "bad gateway"), (503, "busy"), (504, "late"), (0, "")])
def test_passing_trouble_is_retried(server: StandIn, trouble: tuple[int, str]) -> None:
    async def body() -> None:
        async with RemoteEngine.connected(Vllm(), server.url) as engine:
            failures = iter([trouble, trouble])
            server.behave = lambda ids: next(failures, None)
            assert await engine.score(ids(50), ids(50)) == 1.0

    run(body)


def test_lasting_trouble_is_unavailable_and_says_what_the_server_said(
    server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "ATTEMPTS", 2)

    async def body() -> None:
        async with RemoteEngine.connected(Vllm(), server.url) as engine:
            server.behave = lambda ids: (503, "The engine is currently busy")
            with pytest.raises(RemoteUnavailable, match="failed 2 times: 503 The engine is currently busy"):
                await engine.score(ids(50), ids(50))

    run(body)


def test_a_server_killed_in_a_burst_gives_retries_then_a_clear_error(
    server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "ATTEMPTS", 2)

    async def body() -> None:
        async with RemoteEngine.connected(Vllm(), server.url) as engine:
            seen = 0

            def dies(ids: list[int]) -> tuple[int, str] | None:
                nonlocal seen
                seen += 1
                return (0, "") if seen > 5 else None

            server.behave = dies
            burst = [engine.score(ids(1), ids(n)) for n in range(20)]
            results = await asyncio.gather(*burst, return_exceptions=True)
            scored = [result for result in results if not isinstance(result, BaseException)]
            assert len(scored) == 5
            assert all(isinstance(result, float | RemoteUnavailable) for result in results)

    run(body)


@pytest.mark.parametrize("status", [401, 404])
def test_a_wrong_key_or_name_is_not_the_samples_fault(server: StandIn, status: int) -> None:
    async def body() -> None:
        async with RemoteEngine.connected(Vllm(), server.url) as engine:
            server.behave = lambda ids: (status, "no")
            with pytest.raises(RemoteUnavailable, match=f"refuses /classify: {status}"):
                await engine.score(ids(50), ids(50))

    run(body)


@pytest.mark.parametrize(
    "answer",
    [
        (200, "{}"),
        (200, '{"data": []}'),
        (200, '{"data": [{"probs": ["high"]}]}'),
        (200, '{"data": [{"probs": [0.1, 0.9]}]}'),
        (200, "hello"),
        (400, "token id out of vocabulary"),
        (500, "cannot schedule new futures after shutdown"),
    ],
)
def test_what_is_no_score_is_an_error_of_the_sample_only(
    server: StandIn, answer: tuple[int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "ATTEMPTS", 2)

    async def body() -> None:
        async with RemoteEngine.connected(Vllm(), server.url) as engine:
            server.behave = lambda ids: answer if ids[-1] == 13 else None
            calls = [engine.score(ids(50), ids(token)) for token in (13, 50)]
            bad, good = await asyncio.gather(*calls, return_exceptions=True)
            assert isinstance(bad, RemoteRefused)
            assert good == 1.0

    run(body)


@pytest.mark.parametrize("number", ["NaN", "Infinity"])
def test_a_score_that_is_no_number_is_not_finite(server: StandIn, number: str) -> None:
    reports: list[BatchReport] = []

    async def body() -> None:
        async with RemoteEngine.connected(Vllm(), server.url, on_batch=reports.append) as engine:
            reports.clear()
            server.behave = lambda ids: (200, f'{{"data": [{{"probs": [{number}]}}]}}')
            with pytest.raises(NotFinite):
                await engine.score(ids(50), ids(50))
        assert [report.not_finite for report in reports] == [1]

    run(body)


def test_a_bounded_number_is_in_flight(server: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "MAX_IN_FLIGHT", 3)
    three = threading.Barrier(3, timeout=600)  # none is answered before three are there

    def together(ids: list[int]) -> None:
        three.wait()

    async def body() -> None:
        async with RemoteEngine.connected(Vllm(), server.url) as engine:
            server.behave = together
            results = await asyncio.gather(*(engine.score(ids(100), ids(100 * n)) for n in range(39)))
            assert results == [n + 1.0 for n in range(39)]
        assert server.most_in_flight == 3

    run(body)


def test_the_500_of_a_server_that_shuts_down_is_retried(server: StandIn) -> None:
    answers = [(500, "cannot schedule new futures after shutdown")]

    async def body() -> None:
        async with RemoteEngine.connected(Vllm(), server.url) as engine:
            server.behave = lambda ids: answers.pop() if answers else None
            assert await engine.score(ids(50), ids(50)) == 1.0

    run(body)


def test_identical_samples_are_asked_for_once_waiting_running_or_finished(
    server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "MAX_IN_FLIGHT", 1)

    async def body() -> None:
        async with RemoteEngine.connected(Vllm(), server.url) as engine:
            asked = len(server.bodies)
            same = [scores(engine, ids(50), ids(50), ids(150)) for _ in range(3)]
            assert await asyncio.gather(*same) == [[1.0, 2.0]] * 3
            assert await engine.score(ids(50), ids(150)) == 2.0
            assert len(server.bodies) == asked + 2
            assert engine.queued_tokens == 0

    run(body)


def test_a_caller_that_comes_back_finds_its_work_and_one_that_stays_away_costs_nothing(
    server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "MAX_IN_FLIGHT", 1)
    gate = threading.Event()

    async def body() -> None:
        async with RemoteEngine.connected(Vllm(), server.url) as engine:
            asked = len(server.bodies)
            server.behave = lambda ids: (gate.wait(20), None)[1]
            first = asyncio.create_task(engine.score(ids(1), ids(1)))
            while len(server.bodies) == asked:
                await asyncio.sleep(0.001)
            waiting = [asyncio.create_task(engine.score(ids(1), ids(n))) for n in (2, 3)]
            while engine.queued_tokens < 4:
                await asyncio.sleep(0.001)
            for task in (first, *waiting):
                task.cancel()
            await asyncio.wait([first, *waiting])
            back = asyncio.create_task(engine.score(ids(1), ids(3)))
            await asyncio.sleep(0)
            monkeypatch.setattr(shared, "GRACE_S", 0.0)
            gate.set()
            assert await back == 0.04
            assert await engine.score(ids(1), ids(1)) == 0.02  # was running, so it was finished and kept
            assert [sent["input"] for sent in server.bodies[asked:]] == [[[1, 1]], [[1, 3]]]

    run(body)


def test_health_decides_readiness(server: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "HEALTH_INTERVAL_S", 0.01)

    async def body() -> None:
        async with RemoteEngine.connected(Vllm(), server.url) as engine:
            server.healthy = False
            while engine.unready_reason is None:
                await asyncio.sleep(0.005)
            assert "503" in engine.unready_reason
            server.healthy = True
            while engine.unready_reason is not None:
                await asyncio.sleep(0.005)

    run(body)


def test_health_is_asked_while_every_request_is_under_way(server: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "MAX_IN_FLIGHT", 1)
    monkeypatch.setattr(engine_module, "HEALTH_INTERVAL_S", 0.01)
    gate = threading.Event()

    async def body() -> None:
        async with RemoteEngine.connected(Vllm(), server.url) as engine:
            server.behave = lambda ids: (gate.wait(20), None)[1]
            task = asyncio.create_task(engine.score(ids(50), ids(50)))
            await until(lambda: server.probes > 2)
            assert engine.unready_reason is None
            server.healthy = False
            while engine.unready_reason is None:
                await asyncio.sleep(0.005)
            gate.set()
            assert await task == 1.0

    run(body)


def test_retry_delays_grow_and_differ_between_samples() -> None:
    for attempt, longest in [(1, 0.25), (2, 0.5), (3, 1.0), (6, 8.0), (9, 8.0)]:
        delays = {retry_delay_s(attempt, bytes([n])) for n in range(20)}
        assert len(delays) == 20
        assert all(longest / 2 <= delay <= longest for delay in delays)
