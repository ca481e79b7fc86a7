"""More than can be done: what is admitted is answered, the rest is refused at once, and asking again pays."""

from __future__ import annotations

import json
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection

import httpx
import pytest
from conftest import Starter
from running_server import RunningServer, until
from test_lifecycle import PATIENT, bombs


def algebra(numbers: range, name: str = "x") -> dict[str, list[str]]:
    """Right answers that only a worker can grade, each another."""
    truths = [f"\\ln {name}+{n}" for n in numbers]
    return {"completions": [f"\\boxed{{{n}+\\ln({name})}}" for n in numbers], "ground_truths": truths}


def connect(server: RunningServer) -> HTTPConnection:
    host, port = server.url.removeprefix("http://").split(":")
    return HTTPConnection(host, int(port), timeout=600)


def test_what_is_admitted_is_right_and_the_rest_is_refused_with_a_time_to_come_back(start_server: Starter) -> None:
    """Ten callers at once where 8 samples may be pending; each comes back until it is let in."""
    with start_server("--max-pending-samples", "8", *PATIENT) as server, ThreadPoolExecutor(10) as threads:

        def insist(number: int) -> tuple[list[float], int]:
            refused = 0
            while True:
                reply = server.post("/score/verifier", algebra(range(4 * number, 4 * number + 4)))
                if reply.status_code == 200:
                    return reply.json()["rewards"], refused
                assert (reply.status_code, reply.json()["error"]["code"]) == (503, "overloaded")
                assert int(reply.headers["retry-after"]) >= 1
                refused += 1
                time.sleep(0.2)  # sooner than it was told, as OpenRLHF's client would

        answers = list(threads.map(insist, range(20)))
        assert [rewards for rewards, _ in answers] == [[1.0] * 4] * 20
        assert sum(refused for _, refused in answers) > 0
        assert server.metric("reward_rejected_total", code="overloaded") == sum(refused for _, refused in answers)
        assert server.metric("reward_pending_samples") == server.metric("reward_pending_bytes") == 0


def test_a_full_server_refuses_before_it_reads_the_body(start_server: Starter) -> None:
    with start_server("--max-pending-samples", "4", *PATIENT) as server, ThreadPoolExecutor(1) as threads:
        pending = threads.submit(server.post, "/score/verifier", bombs(4))

        def is_full() -> bool:
            nonlocal pending
            if pending.done():  # refused, because a look at the metrics was under way, which counts as a sample
                pending = threads.submit(server.post, "/score/verifier", bombs(4))
            return server.metric("reward_pending_samples") == 4

        until(is_full)
        connection = connect(server)
        connection.putrequest("POST", "/score/verifier")
        connection.putheader("Content-Length", str(30 * 2**20))
        connection.endheaders()
        reply = connection.getresponse()  # not a byte of the body was sent
        assert (reply.status, json.loads(reply.read())["error"]["code"]) == (503, "overloaded")
        for _ in range(30):
            connection.send(b" " * 2**20)  # is thrown away, and the connection serves the next request
        connection.request("GET", "/health")
        assert connection.getresponse().status == 200
        connection.close()
        assert pending.result().json()["outcomes"] == ["timeout"] * 4


def test_a_queue_for_workers_refuses_nobody_who_needs_none(start_server: Starter) -> None:
    with start_server("--request-timeout-s", "2", "--verifier-workers", "1", *PATIENT) as server:

        def is_refused() -> bool:
            """Asks for 300 bombs, which stay queued; each that was graded makes the measured rate lower."""
            reply = server.post("/score/verifier", bombs(300))
            return bool(reply.json()["error"]["code"] == "overloaded")

        until(is_refused)
        reply = server.post("/score/rpr?require_answer=false", {"completions": ["Wait, let me check."]})
        assert reply.status_code == 200


def test_ordinary_answers_wait_for_no_bomb(start_server: Starter) -> None:
    """Twelve bombs of 4 s each are far from done when 40 ordinary answers are graded that came after them."""
    patient = ("--soft-timeout-s", "4", "--hard-timeout-s", "300", "--verifier-workers", "3")
    with start_server(*patient) as server, ThreadPoolExecutor(1) as threads:
        pending = threads.submit(server.post, "/score/verifier", bombs(12))
        until(lambda: server.metric("reward_demoted_total") >= 3)  # two of them fill the slow lane
        for number in range(10):
            reply = server.post("/score/verifier", algebra(range(4 * number, 4 * number + 4)))
            assert reply.json()["outcomes"] == ["correct"] * 4
        assert server.metric("reward_queue_slow_depth") > 0
        assert server.metric("reward_worker_kills_total") == 0
        assert not pending.done()
        server.stop(signal.SIGKILL)  # rather than wait for them
        with pytest.raises(httpx.TransportError):
            pending.result()


def test_a_client_that_gives_up_and_asks_again_gets_what_was_finished(start_server: Starter) -> None:
    """Six bombs of a second each, and a client that waits half of that: every one of them is graded once."""
    with start_server("--verifier-workers", "1", *PATIENT) as server:
        outcomes: list[str] = []
        for _ in range(200):
            try:
                outcomes = httpx.post(server.url + "/score/verifier", json=bombs(6), timeout=0.5).json()["outcomes"]
                break
            except httpx.ReadTimeout:
                pass
        assert outcomes == ["timeout"] * 6
        assert server.metric("reward_verdict_cache_total", result="miss") == 6
        assert server.metric("reward_stage_seconds_count", stage="verify") == 6


def test_bodies_that_would_not_fit_in_memory_together_are_refused(start_server: Starter) -> None:
    """Ten bodies of 8 MiB, all but the end of each sent, where 32 MiB may be pending."""
    body = json.dumps({"completions": ["x" * (8 * 2**20) + "\\boxed{4}"], "ground_truths": ["4"]}).encode()
    with start_server("--max-pending-mb", "32") as server, ThreadPoolExecutor(10) as threads:
        connections = [connect(server) for _ in range(10)]

        def send(connection: HTTPConnection) -> None:
            connection.putrequest("POST", "/score/verifier")
            connection.putheader("Content-Length", str(len(body)))
            connection.endheaders()
            connection.send(body[:-1])

        list(threads.map(send, connections))
        until(lambda: server.metric("reward_rejected_total", code="overloaded") >= 6)
        assert server.metric("reward_pending_bytes") <= 32 * 2**20
        statuses = []
        for connection in connections:
            connection.send(body[-1:])
            statuses.append(connection.getresponse().status)
            connection.close()
        assert sorted(set(statuses)) == [200, 503]
        assert statuses.count(200) == 4 - (statuses.count(200) == 3)
        assert server.metric("reward_pending_bytes") == 0
        assert server.post("/score/verifier", body).json()["rewards"] == [1.0]
