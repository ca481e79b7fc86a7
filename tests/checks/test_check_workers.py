"""Python checks have processes of their own: what one does there costs no mathematical answer time or its reward."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from running_server import RunningServer, running_server, until

TABLES = """
[checks.odd]
python = "my_checks:odd"

[checks.brim]
python = "my_checks:brim"
"""
SINES = [(rf"\boxed{{1+\sin({number}x)}}", rf"\sin({number}x)+1") for number in range(2, 22)]
"""Answers and ground truths that only Math-Verify finds equal."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """With one worker of each kind, in which a job may hang for as long as these tests take."""
    folder = tmp_path_factory.mktemp("workers")
    (folder / "rewards.toml").write_text(TABLES)
    options = (
        "--config",
        str(folder / "rewards.toml"),
        "--verifier-workers",
        "1",
        "--hard-timeout-s",
        "500",
        "--request-timeout-s",
        "60",
    )
    with running_server(folder / "log", *options, environment={"PYTHONPATH": str(Path(__file__).parent)}) as running:
        yield running


def graded(server: RunningServer, query: str, rows: list[tuple[str, str]]) -> list[str]:
    answers, truths = zip(*rows, strict=True)
    reply = server.post(f"/score/{query}", {"completions": answers, "ground_truths": truths})
    assert reply.status_code == 200, reply.text
    outcomes: list[str] = reply.json()["outcomes"]
    return outcomes


def test_memory_that_a_check_keeps_is_no_mathematical_answers_fault(server: RunningServer) -> None:
    assert graded(server, "verifier?check=brim", [(r"\boxed{1}", "1")]) == ["correct"]
    assert graded(server, "verifier", SINES[:10]) == ["correct"] * 10


def test_mathematics_is_graded_while_a_check_hangs(server: RunningServer) -> None:
    hanging = {"completions": [rf"{n}: \boxed{{sleep}}" for n in range(8)], "ground_truths": [f"{n}" for n in range(8)]}

    def left() -> None:
        with suppress(httpx.HTTPError):  # the server ends before it answers
            server.post("/score/verifier?check=odd", hanging)

    caller = threading.Thread(target=left, daemon=True)
    caller.start()
    until(lambda: server.metric("reward_queue_depth") == 7)
    assert graded(server, "verifier", SINES[10:]) == ["correct"] * 10
    assert server.metric("reward_queue_depth") == 7  # it hangs to this moment


def test_a_second_opinion_that_hangs_costs_no_reward(server: RunningServer) -> None:
    """The check's only worker hangs since the test before, or is hung here. Half of a request's time is waited."""
    texts = [rf"{number}: \boxed{{sleep}}" for number in range(2)]
    body = {"completions": [r"\boxed{4}", *texts], "ground_truths": ["4"] * 3, "groups": ["a", "b", "c"]}
    reply = server.post("/score/verifier?check=string&reference=odd", body).json()
    assert (reply["rewards"], reply["parts"]["reference"]) == ([1.0, 0.0, 0.0], [None] * 3)
    assert "second opinions of odd took over 30 s" in server.log.read_text()
