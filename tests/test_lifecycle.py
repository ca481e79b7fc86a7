"""Starting, stopping and failing: nothing admitted is lost, nobody hangs, every error has one shape."""

from __future__ import annotations

import gzip
import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection

import httpx
import pytest
from conftest import Starter
from running_server import HANG_S, RunningServer, until

PATIENT = ("--soft-timeout-s", "1", "--hard-timeout-s", "300")
"""On a busy machine a bomb's second of CPU time takes long: it ends by that, and not by the hard limit."""


def bombs(number: int) -> dict[str, list[str]]:
    """Samples that each keep a worker busy for the whole soft budget: distinct, so that none is cached."""
    towers = [f"\\boxed{{x^{{9^{{9^{{{k + 7}}}}}}}}}" for k in range(number)]
    return {"completions": towers, "ground_truths": ["x^2"] * number}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_with_0_after_it_answered_what_it_had(
    start_server: Starter, number: signal.Signals
) -> None:
    with start_server(*PATIENT) as server, ThreadPoolExecutor() as threads:
        pending = [threads.submit(server.post, "/score/verifier", bombs(3)) for _ in range(4)]
        until(lambda: server.metric("reward_pending_samples") == 12)
        assert server.stop(number) == 0
        assert [reply.result().json()["outcomes"] for reply in pending] == [["timeout"] * 3] * 4


def test_ready_fails_while_the_listener_is_still_open(start_server: Starter) -> None:
    with start_server("--drain-delay-s", "6") as server:
        assert server.get("/ready").status_code == 200
        assert server.metric("reward_ready") == 1
        server.process.send_signal(signal.SIGTERM)
        until(lambda: server.get("/ready").status_code == 503)
        assert server.get("/ready").json()["error"]["code"] == "draining"
        assert server.metric("reward_ready") == 0
        body = {"completions": ["\\boxed{4}"], "ground_truths": ["4"]}
        assert server.post("/score/verifier", body).status_code == 200
        assert server.process.wait(HANG_S) == 0


def test_a_second_signal_ends_it_at_once_and_leaves_no_worker(start_server: Starter) -> None:
    with start_server(*PATIENT) as server, ThreadPoolExecutor() as threads:
        pending = threads.submit(server.post, "/score/verifier", bombs(8))
        until(lambda: server.metric("reward_pending_samples") == 8)
        workers = server.workers()
        server.process.send_signal(signal.SIGTERM)
        until(lambda: not is_listening(server))
        assert server.stop(signal.SIGTERM) == 128 + signal.SIGTERM
        with pytest.raises(httpx.TransportError):
            pending.result()
    until(lambda: not any(is_alive(worker) for worker in workers))


def test_workers_die_with_a_server_that_is_killed(start_server: Starter) -> None:
    with start_server("--verifier-workers", "3") as server, ThreadPoolExecutor() as threads:
        threads.submit(lambda: pytest.raises(httpx.TransportError, server.post, "/score/verifier", bombs(8)))
        until(lambda: server.metric("reward_pending_samples") == 8)
        workers = server.workers()
        assert len(workers) == 3
        server.stop(signal.SIGKILL)
        until(lambda: not any(is_alive(worker) for worker in workers))


def test_a_worker_killed_from_outside_costs_nothing_but_a_retry(start_server: Starter) -> None:
    with start_server("--verifier-workers", "1", *PATIENT) as server, ThreadPoolExecutor() as threads:
        (idle,) = server.workers()
        os.kill(idle, signal.SIGKILL)
        body = {"completions": ["\\boxed{1+\\ln(x)}"], "ground_truths": ["\\ln x+1"]}
        assert server.post("/score/verifier", body).json()["rewards"] == [1.0]
        pending = threads.submit(server.post, "/score/verifier", bombs(1))
        until(lambda: server.metric("reward_pending_samples") == 1)
        (busy,) = server.workers()
        os.kill(busy, signal.SIGKILL)
        assert pending.result().json()["outcomes"] == ["timeout"]
        assert server.metric("reward_worker_deaths_total") >= 1
        assert server.metric("reward_worker_kills_total") == 0
        until(lambda: len(server.workers()) == 1)


def test_workers_that_are_all_killed_come_back_without_a_request(start_server: Starter) -> None:
    """The gauge shows the living. Meanwhile the server is ready: an answer that comes waits for a second or two."""
    with start_server("--verifier-workers", "2") as server:
        assert server.metric("reward_workers") == 2
        for deaths in (2, 4):
            killed = server.workers()
            for worker in killed:
                os.kill(worker, signal.SIGKILL)
            assert server.get("/ready").status_code == 200
            until(lambda: server.metric("reward_worker_deaths_total") == deaths)  # noqa: B023 - called at once
            until(lambda: server.metric("reward_workers") == 2)
            assert len(server.workers()) == 2 and not set(server.workers()) & set(killed)
        assert server.get("/ready").status_code == 200


def test_a_worker_that_is_stopped_is_killed_and_replaced_and_costs_nothing_but_a_retry(
    start_server: Starter,
) -> None:
    with start_server("--verifier-workers", "1", "--hard-timeout-s", "3") as server, ThreadPoolExecutor() as threads:
        (worker,) = server.workers()
        os.kill(worker, signal.SIGSTOP)  # uses no CPU time, so that only the hard limit ends it
        body = {"completions": [f"\\boxed{{{n}+\\ln(x)}}" for n in (3, 4)], "ground_truths": ["\\ln x+3", "\\ln x+4"]}
        reply = threads.submit(server.post, "/score/verifier", body).result()
        assert reply.json()["outcomes"] == ["correct", "correct"]
        assert server.metric("reward_worker_kills_total") == 1
        assert server.workers() != [worker]


def test_the_age_of_the_oldest_request_grows_and_is_0_without_one(start_server: Starter) -> None:
    with start_server("--verifier-workers", "1") as server, ThreadPoolExecutor() as threads:
        pending = threads.submit(server.post, "/score/verifier", bombs(2))
        until(lambda: server.metric("reward_oldest_pending_seconds") > 1)
        assert pending.result().status_code == 200
        assert server.metric("reward_oldest_pending_seconds") == 0


def test_a_request_past_its_time_gets_503_and_its_retry_the_finished_work(start_server: Starter) -> None:
    with start_server("--request-timeout-s", "0.5", "--verifier-workers", "1", *PATIENT) as server:
        reply = server.post("/score/verifier", bombs(1))
        assert (reply.status_code, reply.json()["error"]["code"]) == (503, "deadline_exceeded")
        assert int(reply.headers["retry-after"]) >= 1
        until(lambda: server.metric("reward_stage_seconds_count", stage="verify") == 1)
        assert server.post("/score/verifier", bombs(1)).json()["outcomes"] == ["timeout"]
        assert server.metric("reward_verdict_cache_total", result="hit") == 1


def test_more_than_may_be_pending_gets_503_with_retry_after(start_server: Starter) -> None:
    with start_server("--max-pending-samples", "8", *PATIENT) as server, ThreadPoolExecutor() as threads:
        pending = threads.submit(server.post, "/score/verifier", bombs(6))
        until(lambda: server.metric("reward_pending_samples") == 6)
        reply = server.post("/score/verifier", bombs(3))
        assert (reply.status_code, reply.json()["error"]["code"]) == (503, "overloaded")
        assert "retry-after" in reply.headers
        assert pending.result().status_code == 200
        assert server.metric("reward_pending_samples") == 0


def test_a_caller_that_leaves_is_noticed_and_its_work_finished_for_a_retry(start_server: Starter) -> None:
    with start_server("--verifier-workers", "1", *PATIENT) as server:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(server.url + "/score/verifier", json=bombs(2), timeout=0.6)
        until(lambda: server.metric("reward_rejected_total", code="caller_left") == 1)
        assert server.metric("reward_pending_samples") == 0
        assert server.post("/score/verifier", bombs(2)).json()["outcomes"] == ["timeout"] * 2


def test_a_body_over_the_limit_is_refused_while_it_streams(start_server: Starter) -> None:
    with start_server("--max-body-mb", "1") as server:
        sent: list[None] = []

        def endless() -> Iterator[bytes]:
            for _ in range(64):
                sent.append(None)
                yield b"x" * 2**18

        try:
            reply = httpx.post(server.url + "/score/verifier", content=endless())
            assert (reply.status_code, reply.json()["error"]["code"]) == (413, "too_large")
        except httpx.TransportError:  # the server closed while we were still writing
            assert len(sent) < 64
        declared = server.post("/score/verifier", b"x" * (2**20 + 1))
        assert (declared.status_code, declared.json()["error"]["code"]) == (413, "too_large")
        assert server.get("/ready").status_code == 200


def test_half_a_request_holds_nobody_up(server: RunningServer) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    half = [socket.create_connection((host, int(port))) for _ in range(50)]
    for connection in half:
        connection.sendall(b"POST /score/verifier HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
    body = {"completions": ["\\boxed{4}"], "ground_truths": ["4"]}
    assert server.post("/score/verifier", body).json()["rewards"] == [1.0]
    for connection in half:
        connection.close()


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("POST", "/score/nobody", 404, "unknown_reward"),
        ("POST", "/explain/nobody", 404, "unknown_reward"),
        ("GET", "/score/verifier", 405, "method_not_allowed"),
        ("POST", "/score/verifier", 422, "invalid_request"),
        ("POST", "/score/verifier?nothing=1", 422, "invalid_request"),
        ("POST", "/score/rm", 501, "no_reward_model"),
        ("DELETE", "/ready", 405, "method_not_allowed"),
    ],
)
def test_every_error_has_one_shape(server: RunningServer, method: str, path: str, status: int, code: str) -> None:
    content = b'{"completions": ["x"]}' if code in ("no_reward_model",) else b"rubbish"
    reply = httpx.request(method, server.url + path, content=content)
    assert (reply.status_code, reply.json()["error"]["code"]) == (status, code)
    assert set(reply.json()["error"]) <= {"code", "message", "detail"}
    assert reply.json()["error"]["message"]
    assert "Traceback" not in reply.text


def test_a_request_id_goes_in_and_out_and_into_the_log_which_has_no_prompt(server: RunningServer) -> None:
    body = {"completions": ["a secret thought \\boxed{4}"], "ground_truths": ["4"], "prompts": ["a secret prompt"]}
    reply = server.post("/score/verifier", body, headers={"x-request-id": "step-7"})
    assert reply.headers["x-request-id"] == "step-7"
    until(lambda: any(line.get("request_id") == "step-7" for line in server.log_lines()))
    (line,) = [line for line in server.log_lines() if line.get("request_id") == "step-7"]
    assert line.items() >= {"event": "request", "route": "/score/verifier", "status": 200, "samples": 1}.items()
    assert line["dialect"] == "native"
    assert "secret" not in server.log.read_text()
    assert server.post("/score/verifier", body, headers={"x-request-id": "a b"}).headers["x-request-id"] != "a b"


def test_a_burst_of_single_samples_is_all_answered(server: RunningServer) -> None:
    """2,000 connections at once, as OpenRLHF makes them: every tenth answer needs a worker."""
    host, port = server.url.removeprefix("http://").split(":")

    def one(number: int) -> float:
        answer = f"{number}+\\ln(x)" if number % 10 == 0 else str(number)
        truth = f"\\ln x+{number}" if number % 10 == 0 else str(number)
        body = {"query": [f"p\\boxed{{{answer}}}"], "prompts": ["p"], "labels": [truth]}
        connection = HTTPConnection(host, int(port), timeout=HANG_S)
        connection.request("POST", "/score/verifier", json.dumps(body))
        rewards: list[float] = json.loads(connection.getresponse().read())["rewards"]
        connection.close()
        return rewards[0]

    with ThreadPoolExecutor(64) as threads:
        assert list(threads.map(one, range(1, 2001))) == [1.0] * 2000


def is_listening(server: RunningServer) -> bool:
    host, port = server.url.removeprefix("http://").split(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return False
    return True


def is_alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_body_that_arrives_slowly_is_read_whole(server: RunningServer) -> None:
    """Its second half comes after the server has begun to watch whether callers leave."""
    body = json.dumps({"completions": ["\\boxed{4}"] * 200, "ground_truths": ["4"] * 200}).encode()
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=HANG_S) as connection:
        head = f"POST /score/verifier HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body[:1000])
        time.sleep(0.6)  # longer than WATCH_AFTER_S: what is tested
        connection.sendall(body[1000:])
        reply = b"".join(iter(lambda: connection.recv(2**16), b""))
    assert json.loads(reply.partition(b"\r\n\r\n")[2])["rewards"] == [1.0] * 200


def test_health_and_ready_answer_head_too(start_server: Starter) -> None:
    with start_server("--drain-delay-s", "6") as server:
        for path in ("/health", "/ready"):
            reply = httpx.head(server.url + path)
            assert (reply.status_code, reply.content) == (200, b"")
        server.process.send_signal(signal.SIGTERM)
        until(lambda: httpx.head(server.url + "/ready").status_code == 503)
        assert httpx.head(server.url + "/health").status_code == 200


@pytest.mark.parametrize("path", ["/health/", "/ready/", "/metrics/", "/rewards/", "/score/verifier/"])
def test_nobody_is_sent_to_where_the_host_header_says(server: RunningServer, path: str) -> None:
    for method in ("GET", "POST", "HEAD"):
        reply = httpx.request(method, server.url + path, headers={"host": "elsewhere.example"})
        assert reply.status_code in (404, 405) and "location" not in reply.headers


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "br", "deflate, gzip", "zstd", "x" * 5000])
def test_a_compressed_body_is_refused_with_the_reason(server: RunningServer, encoding: str) -> None:
    body = gzip.compress(b'{"completions": ["\\\\boxed{4}"], "ground_truths": ["4"]}')
    for path in ("/score/verifier", "/explain/verifier", "/score/verifier/verify"):
        reply = server.post(path, body, headers={"content-encoding": encoding})
        assert (reply.status_code, reply.json()["error"]["code"]) == (415, "unsupported_encoding")
        assert "Content-Encoding" in reply.json()["error"]["message"] and len(reply.text) < 300
    plain = {"completions": ["\\boxed{4}"], "ground_truths": ["4"]}
    for identity in ("identity", "Identity", ""):
        assert server.post("/score/verifier", plain, headers={"content-encoding": identity}).status_code == 200
    both = [("content-encoding", "identity"), ("content-encoding", "gzip")]
    assert server.post("/score/verifier", plain, headers=both).status_code == 415


def test_what_a_request_names_comes_back_shortened(server: RunningServer) -> None:
    """60 KB of unknown names gave 503 KB."""
    many, long = "&".join(f"p{number}=1" for number in range(6000)), "x" * 25_000
    body = {"completions": ["\\boxed{4}"], "ground_truths": ["4"]}
    for query in (many, long, f"check={long}", f"phrases={long}", f"seed={long}", f"{long}=1&{long}y=2"):
        reply = server.post(f"/score/verifier?{query}", body)
        assert reply.status_code == 422 and len(reply.content) < 8000, len(reply.content)
    assert len(server.post(f"/score/{long}", body).content) < 2000
    for unknown in ({long * 10: 1}, {f"{long}{number}": 1 for number in range(30)}):
        assert len(server.post("/score/verifier", {**body, **unknown}).content) < 4000
        assert len(server.post("/score/verifier", unknown).content) < 4000
        assert len(server.post("/explain/verifier", {"completion": "x", **unknown}).content) < 4000


def test_the_log_names_who_connected_and_believes_no_header(server: RunningServer) -> None:
    headers = {"x-request-id": "who-1", "x-forwarded-for": "203.0.113.9", "forwarded": "for=203.0.113.9"}
    assert server.post("/score/rpr", {"completions": ["x"]}, headers=headers).status_code == 200
    until(lambda: any(line.get("request_id") == "who-1" for line in server.log_lines()))
    (line,) = [line for line in server.log_lines() if line.get("request_id") == "who-1"]
    assert line["client"] == "127.0.0.1"
    assert str(line["agent"]).startswith("python-httpx/")


@pytest.mark.parametrize("agent", ["x" * 129, "ünknown"])
def test_an_agent_that_is_long_or_not_ascii_is_not_logged(server: RunningServer, agent: str) -> None:
    headers = [(b"x-request-id", b"agent-%d" % len(agent)), (b"user-agent", agent.encode())]
    assert server.post("/score/rpr", {"completions": ["x"]}, headers=headers).status_code == 200
    until(lambda: any(line.get("request_id") == f"agent-{len(agent)}" for line in server.log_lines()))
    (line,) = [line for line in server.log_lines() if line.get("request_id") == f"agent-{len(agent)}"]
    assert line["agent"] is None


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="needs IPv6")
def test_the_host_of_two_colons_serves_both_kinds_of_addresses(start_server: Starter) -> None:
    with start_server("--host", "::", "--verifier-workers", "1") as server:
        port = httpx.URL(server.url).port
        for host in ("[::1]", "127.0.0.1"):
            assert httpx.get(f"http://{host}:{port}/health").status_code == 200
        assert server.stop() == 0
