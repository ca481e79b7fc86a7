"""A grader as a second opinion that refuses, hangs, answers garbage, and recovers: it costs opinions and no reward."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from graders import Grader, grading
from running_server import RunningServer, running_server

from reward_server.catalog.tables import BadCatalog, Tables
from reward_server.checks.checks import Checks
from reward_server.checks.events import CheckEvents
from reward_server.grading.reading import read
from reward_server.kit.breaker import FAILURES, PAUSE_S, SILENT
from reward_server.processes.pool import ProcessPool
from reward_server.settings import Settings
from reward_server.types import Sample, Verdict

HURRIED = "reference_timeout_s = 0.4"
Ask = Callable[..., Coroutine[Any, Any, list[Verdict]]]


@pytest.fixture
def grader() -> Iterator[Grader]:
    with grading() as running:
        yield running


def told(
    folder: Path, url: str, more: str, asked: Callable[[Ask, Checks], Coroutine[Any, Any, None]], seen: list[str]
) -> None:
    """Runs `asked(ask, checks)`: `ask(*answers)` are opinions of the grader at `url`. `seen`: what is counted."""
    (folder / "rewards.toml").write_text(f'[checks.sandbox]\nurl = "{url}/grade"\nreads = "turn"\n{more}')
    settings = Settings(config=folder / "rewards.toml")
    events = CheckEvents(on_opinion=lambda name, result: seen.append(f"{name} {result}"))

    async def run() -> None:
        checks = Checks(dict(Tables.read(settings).checks), settings, events)

        async def ask(*answers: str, is_opinion: bool = True) -> list[Verdict]:
            samples = [Sample(answer, ground_truths=("x",)) for answer in answers]
            readings = read([*answers], "sandbox", "turn")
            return await checks.grade("sandbox", samples, readings, is_opinion=is_opinion)

        async with checks.running(ProcessPool(workers=1, hard_timeout_s=1)):
            await asked(ask, checks)

    asyncio.run(run())


def test_one_that_refuses_connections_is_tried_once_and_then_left_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with grading() as gone:
        url = gone.url
    seen: list[str] = []

    async def asked(ask: Ask, checks: Checks) -> None:
        for number in range(10):
            (verdict,) = await ask(f"answer {number}")
            assert (verdict.outcome, verdict.clean) == ("error", None)
        assert "it was not asked, since it failed 3 times in a row: it failed: ConnectError" in verdict.reason
        state = checks.opinions("sandbox")
        assert state is not None and "ConnectError" in str(state.pop("now"))
        assert state == {"given": 0, "failed": SILENT, "paused": 10 - SILENT}

    with caplog.at_level(logging.WARNING):
        told(tmp_path, url, "", asked, seen)
    assert seen == ["sandbox failed"] * SILENT + ["sandbox paused"] * (10 - SILENT)
    assert len([line for line in caplog.messages if "in a row as a second opinion" in line]) == 1
    assert len(caplog.messages) == SILENT + 1  # nothing is said of each that is not asked


def test_one_that_hangs_costs_its_limit_and_holds_nobody_up_after_that(grader: Grader, tmp_path: Path) -> None:
    seen: list[str] = []

    async def asked(ask: Ask, checks: Checks) -> None:
        found = await ask(*[f"answer {number}" for number in range(42)])
        assert {verdict.outcome for verdict in found} == {"error"}
        assert "no answer within 0.4 s" in found[0].reason
        while (checks.opinions("sandbox") or {})["now"] == "asked":
            await asyncio.sleep(0.01)  # polling: the attempts end a moment after those who wait
        assert [verdict.clean for verdict in await ask("z", "y")] == [None, None]
        assert not {"z", "y"} & {body["answer"] for body in grader.asked}

    grader.mood = "hang"
    told(tmp_path, grader.url, f"max_in_flight = 4\n{HURRIED}", asked, seen)
    assert seen.count("sandbox given") == 0
    assert len(grader.asked) <= 8  # 42 questions, 4 at a time


def test_garbage_is_no_opinion_and_pauses_it_only_after_many_in_a_row(
    grader: Grader, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[str] = []

    async def asked(ask: Ask, checks: Checks) -> None:
        for kind in ("garbage", "no score", "two", "404", "500"):
            assert [verdict.clean for verdict in await ask(kind)] == [None]
            assert [verdict.clean for verdict in await ask(f"well after {kind}")] == [0.0]
        await ask("x")
        assert (checks.opinions("sandbox") or {})["now"] == "asked"
        grader.mood = "garbage"
        for number in range(FAILURES + 5):
            await ask(f"other {number}")
        assert [verdict.clean for verdict in await ask("x", "another")] == [1.0, None]  # what is kept is known

    with caplog.at_level(logging.WARNING):
        told(tmp_path, grader.url, "", asked, seen)
    assert (seen.count("sandbox failed"), seen.count("sandbox paused")) == (5 + FAILURES, 5 + 1)
    assert "secret" not in caplog.text


def test_one_that_recovers_is_asked_again(grader: Grader, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    seen: list[str] = []

    async def asked(ask: Ask, checks: Checks) -> None:
        assert [verdict.clean for verdict in await ask("503", "429", "close")] == [None] * 3
        assert [verdict.clean for verdict in await ask("y")] == [None]
        (breaker,) = [each._breaker for each in checks._opinions.values()]
        breaker.next_at -= PAUSE_S  # the pause is over
        assert [verdict.clean for verdict in await ask("503 too")] != [None]
        assert [verdict.clean for verdict in await ask("y", "half", "x")] == [0.0, 0.5, 1.0]

    with caplog.at_level(logging.WARNING):
        told(tmp_path, grader.url, "", asked, seen)
    assert grader.tries["503"] == grader.tries["429"] == grader.tries["close"] == 1
    assert "check sandbox answers again as a second opinion" in caplog.text


def test_whoever_is_paid_by_it_still_gets_all_attempts_and_shares_what_is_kept(grader: Grader, tmp_path: Path) -> None:
    async def asked(ask: Ask, _checks: Checks) -> None:
        opinion, paid = await asyncio.gather(ask("twice"), ask("twice", is_opinion=False))
        assert (opinion[0].outcome, paid[0].clean) == ("error", 0.0)
        assert [verdict.clean for verdict in await ask("twice", "x")] == [0.0, 1.0]
        await ask("x", is_opinion=False)

    told(tmp_path, grader.url, "", asked, [])
    assert grader.tries["x"] == 1


def test_a_limit_longer_than_a_request_refuses_the_start(tmp_path: Path) -> None:
    (tmp_path / "rewards.toml").write_text('[checks.a]\nurl = "http://127.0.0.1:1/"\nreference_timeout_s = 500')
    with pytest.raises(BadCatalog, match=r"reference_timeout_s = 500 is no less than a whole request may take"):
        Tables.read(Settings(config=tmp_path / "rewards.toml"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Its grader is not there."""
    folder = tmp_path_factory.mktemp("dead")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    (folder / "rewards.toml").write_text(f'[checks.sandbox]\nurl = "http://127.0.0.1:{port}/"\n')
    options = ("--config", str(folder / "rewards.toml"), "--verifier-workers", "1")
    with running_server(folder / "log", *options) as running:
        yield running


def test_a_dead_reference_is_seen_where_one_looks_and_changes_no_reward(server: RunningServer) -> None:
    texts = [rf"{number}: \boxed{{{number % 3}}}" for number in range(30)]
    body = {"completions": texts, "ground_truths": ["1"] * 30, "groups": [f"q-{number}" for number in range(30)]}
    plain = server.post("/score/flip?flip_prob=0.3", body).json()
    for _ in range(2):
        doubted = server.post("/score/flip?flip_prob=0.3&reference=sandbox", body).json()
        assert (doubted["rewards"], doubted["outcomes"]) == (plain["rewards"], plain["outcomes"])
        assert doubted["parts"]["reference"] == [None] * 30
    found = server.get("/rewards/flip/noise").json()
    state = found["second_opinions"]["sandbox"]
    assert state["failed"] >= SILENT and state["failed"] + state["paused"] == 60 and state["given"] == 0
    assert "not asked for" in state["now"] and "ConnectError" in state["now"]
    assert found["configs"][doubted["config"]]["without_opinion"] == 30
    assert server.metric("reward_second_opinions_total", check="sandbox", result="paused") == state["paused"]
    assert server.log.read_text().count("in a row as a second opinion") == 1
