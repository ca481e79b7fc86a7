"""SIGTERM and SIGINT at each stage, and SIGKILL under load: what was admitted is answered, or asked again."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import Starter
from faults.test_connections import connected, request_bytes
from running_server import SERVER_PYTHON, RunningServer, running_server, until
from test_lifecycle import bombs, is_alive

from trainer_client import RewardClient

SIGNALS = [signal.SIGTERM, signal.SIGINT]
BODY = {"completions": ["\\boxed{4}", "\\boxed{5}"], "ground_truths": ["4", "4"]}


def descendants(pid: int) -> list[int]:
    try:
        children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []
    return children + [below for child in children for below in descendants(child)]


def has_scored(server: RunningServer, number: int) -> bool:
    return server.metric("reward_samples_total", reward="flip", outcome="correct") > number


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_while_it_starts_ends_it_and_its_workers(number: signal.Signals, tmp_path: Path) -> None:
    """When its first worker appears it is in the middle of starting them."""
    with (tmp_path / "log").open("w") as log:
        command = [SERVER_PYTHON, "-m", "reward_server", "serve", "--port", "0", "--verifier-workers", "2"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log)
    try:
        until(lambda: bool(descendants(process.pid)))
        workers = descendants(process.pid)
        process.send_signal(number)
        process.wait(600)
        until(lambda: not any(is_alive(worker) for worker in workers))
    finally:
        process.kill()
        process.wait(600)


def test_a_caller_that_does_not_read_its_answer_delays_the_end_by_seconds(start_server: Starter) -> None:
    row = {"response": {"output": []}, "answer": "4", "padding": "x" * 2**25}
    content = json.dumps(row).encode()
    head = b"POST /score/verifier/verify HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(content)
    with start_server("--request-timeout-s", "5") as server, connected(server) as connection:
        connection.sendall(head + content)
        until(lambda: server.metric("reward_samples_total", outcome="unanswered") == 1)
        assert server.stop() == 0


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_at_an_idle_server_ends_it_with_0(number: signal.Signals, start_server: Starter) -> None:
    with start_server() as server, connected(server):
        workers = server.workers()
        assert server.stop(number) == 0
        until(lambda: not any(is_alive(worker) for worker in workers))


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_while_a_large_body_is_parsed_and_answered_loses_nothing(
    number: signal.Signals, start_server: Starter
) -> None:
    """8 MiB in and 4,000 rewards out: the signal falls into reading, parsing, scoring or rendering it."""
    text = "so it is 4. " * 160 + "\\boxed{4}"
    body = json.dumps({"completions": [text] * 4000, "ground_truths": ["4"] * 4000}).encode()
    with start_server() as server, ThreadPoolExecutor() as threads:
        before = server.metric("process_cpu_seconds_total")
        pending = [threads.submit(server.post, "/score/verifier", body) for _ in range(4)]
        until(lambda: server.metric("process_cpu_seconds_total") > before + 0.05)
        assert server.stop(number) == 0
        assert [reply.result().json()["rewards"] for reply in pending] == [[1.0] * 4000] * 4


def test_half_a_request_delays_the_end_by_no_more_than_a_request_may_take(start_server: Starter) -> None:
    with start_server("--request-timeout-s", "2") as server, connected(server) as connection:
        connection.sendall(request_bytes(BODY, length=10_000))
        assert server.post("/score/verifier", BODY).json()["rewards"] == [1.0, 0.0]
        assert server.stop(signal.SIGTERM) == 0
        assert b"503" in connection.recv(2**16)


def test_a_second_signal_of_the_other_kind_ends_it_at_once(start_server: Starter) -> None:
    with start_server() as server, ThreadPoolExecutor() as threads:
        threads.submit(lambda: pytest.raises(httpx.TransportError, server.post, "/score/verifier", bombs(8)))
        until(lambda: server.metric("reward_pending_samples") == 8)
        workers = server.workers()
        server.process.send_signal(signal.SIGINT)
        until(lambda: any("draining" in str(line["event"]) for line in server.log_lines()))
        assert server.stop(signal.SIGTERM) == 128 + signal.SIGTERM
        until(lambda: not any(is_alive(worker) for worker in workers))


def test_rewards_are_those_of_an_undisturbed_run_when_the_server_is_killed_and_restarted(tmp_path: Path) -> None:
    """Noise, Math-Verify and plain numbers, in flight while the server is killed twice; the clients ask again."""
    completions = [f"so \\boxed{{{n % 7}+\\ln(x)}}" if n % 3 == 0 else f"so \\boxed{{{n % 5}}}" for n in range(600)]
    columns: dict[str, list[Any]] = {
        "ground_truths": ["\\ln x+3" if n % 3 == 0 else "3" for n in range(600)],
        "groups": [f"q-{n % 40}" for n in range(600)],
        "visits": [n % 4 for n in range(600)],
    }
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/score/flip?flip_prob=0.4&seed=17"

    def scored() -> list[float | None]:
        def one(start: int) -> list[float | None]:
            part = slice(start, start + 20)
            given = {name: column[part] for name, column in columns.items()}
            return list(client.score(completions[part], **given).rewards)

        with RewardClient(url, deadline_s=300) as client, ThreadPoolExecutor(8) as threads:
            return [reward for part in threads.map(one, range(0, 600, 20)) for reward in part]

    with running_server(tmp_path / "log", "--port", str(port)):
        undisturbed = scored()
    assert len(undisturbed) == 600 and {*undisturbed} == {0.0, 1.0}

    disturbed: list[list[float | None]] = []
    asking = threading.Thread(target=lambda: disturbed.extend(scored() for _ in range(3)))
    for number in range(3):
        with running_server(tmp_path / "log", "--port", str(port)) as server:
            if number == 0:
                asking.start()
            if number < 2:
                until(partial(has_scored, server, 20))
                os.kill(server.process.pid, signal.SIGKILL)
                server.process.wait(600)
                time.sleep(0.2)  # an outage that the clients see
            else:
                asking.join(240)
    assert disturbed == [undisturbed] * 3
