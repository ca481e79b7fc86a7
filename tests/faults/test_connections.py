"""Connections that do what they should not: huge, slow, half closed, gone. The others notice nothing."""

from __future__ import annotations

import json
import os
import select
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress

import httpx
import pytest
from conftest import Starter
from running_server import RunningServer, until
from test_lifecycle import bombs

BODY = {"completions": ["\\boxed{4}", "\\boxed{5}"], "ground_truths": ["4", "4"]}
EARNED = [1.0, 0.0]
HEAD = b"POST /score/verifier HTTP/1.1\r\nHost: x\r\nX-Slow: "
"""Not complete."""


def request_bytes(body: object, length: int | None = None) -> bytes:
    content = json.dumps(body).encode()
    size = len(content) if length is None else length
    return b"POST /score/verifier HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (size, content)


def connected(server: RunningServer) -> socket.socket:
    host, port = server.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=600)


def answer_on(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(2**16), b""))


def receive(connection: socket.socket, expected: bytes) -> bytes:
    """What comes until `expected` has come; head and body may be packets of their own."""
    answer = b""
    while expected not in answer:
        received = connection.recv(2**16)
        assert received, answer
        answer += received
    return answer


def test_small_requests_are_answered_while_a_body_of_64_mib_is_scored(start_server: Starter) -> None:
    text = "wait, so it is 4. " * 950 + "\\boxed{4}"
    body = json.dumps({"completions": [text] * 3900, "ground_truths": ["4"] * 3900}).encode()
    assert 60 * 2**20 < len(body) <= 64 * 2**20
    with start_server() as server, ThreadPoolExecutor(1) as thread, httpx.Client(base_url=server.url) as client:
        large = thread.submit(server.post, "/score/verifier", body)
        meanwhile = 0
        while not large.done():
            assert client.post("/score/verifier", json=BODY, timeout=600).json()["rewards"] == EARNED
            meanwhile += 1
        assert large.result().json()["rewards"] == [1.0] * 3900
        assert meanwhile >= 10
        assert server.metric("reward_samples_total", outcome="correct") == 3900 + meanwhile


def test_a_hundred_slow_callers_hold_nobody_up_and_are_ended(start_server: Starter) -> None:
    """Fifty stop within their headers, fifty within their bodies; they get 503 when their time is over."""
    with start_server("--request-timeout-s", "3") as server, ExitStack() as stack:
        headers = [stack.enter_context(connected(server)) for _ in range(50)]
        bodies = [stack.enter_context(connected(server)) for _ in range(50)]
        for connection in headers:
            connection.sendall(HEAD)
        for connection in bodies:
            connection.sendall(request_bytes(BODY, length=10_000))
        for _ in range(20):
            assert server.post("/score/verifier", BODY).json()["rewards"] == EARNED
            ended, _, _ = select.select(headers, [], [], 0)
            for connection in set(headers) - set(ended):  # on a slow machine their time is over earlier
                connection.sendall(b"x")
        for connection in headers + bodies:
            assert b" 503 " in receive(connection, b"deadline_exceeded")
        assert all(answer_on(connection) == b"" for connection in headers), "it is closed"
        assert server.metric("reward_rejected_total", code="deadline_exceeded") == 100
        assert server.metric("reward_pending_samples") == 0
        assert server.stop() == 0


def test_headers_without_end_are_refused_before_they_take_memory(server: RunningServer) -> None:
    with connected(server) as connection:
        connection.sendall(HEAD)
        with suppress(ConnectionError):  # it may be closed while we write
            for _ in range(1000):
                connection.sendall(b"x" * 2**16)
        with suppress(ConnectionResetError):
            answer = answer_on(connection)
            assert b" 413 " in answer and b"too_large" in answer
    assert server.metric("reward_rejected_total", code="too_large") >= 1
    assert server.post("/score/verifier", BODY).json()["rewards"] == EARNED


def test_trailers_without_end_are_cut_off_before_they_take_memory(start_server: Starter) -> None:
    head = b"POST /score/verifier HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
    with start_server() as server, connected(server) as connection:
        connection.sendall(head)
        with suppress(ConnectionError):
            for _ in range(1000):
                connection.sendall(b"a: b\r\n" * 10_000)
            pytest.fail("60 MB of trailers were taken")
        until(lambda: server.metric("reward_rejected_total", code="too_large") == 1)
        assert server.metric("reward_pending_samples") == 0


def test_a_caller_that_was_refused_and_does_not_send_its_body_is_ended(start_server: Starter) -> None:
    """One stops within the body, one completes it and then rests."""
    head = b"POST /score/nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"
    with start_server("--request-timeout-s", "1") as server, connected(server) as stops, connected(server) as ends:
        for connection in (stops, ends):
            connection.sendall(head)
            receive(connection, b"unknown_reward")
            connection.sendall(b"1")
        ends.sendall(b"234567890")
        assert stops.recv(2**16) == b"", "it is closed, without a second answer"
        ends.sendall(request_bytes(BODY))
        receive(ends, b"1.0, 0.0")


def test_the_second_head_of_a_connection_has_the_same_limits(start_server: Starter) -> None:
    with start_server("--request-timeout-s", "1") as server, connected(server) as connection:
        connection.sendall(request_bytes(BODY))
        receive(connection, b"1.0, 0.0")
        connection.sendall(HEAD)
        assert b"deadline_exceeded" in answer_on(connection)


def test_a_connection_is_kept_for_requests_of_any_size_and_for_several_in_one_packet(start_server: Starter) -> None:
    with start_server("--request-timeout-s", "1") as server, connected(server) as connection:
        large = {"completions": ["so " * 50_000 + "\\boxed{4}", "\\boxed{5}"], "ground_truths": ["4", "4"]}
        for content in (request_bytes(large), request_bytes(BODY) * 3, request_bytes(large), request_bytes(BODY)):
            connection.sendall(content)
            answers = b""
            while answers.count(b"1.0, 0.0") < content.count(b"POST"):
                answers += (more := connection.recv(2**16))
                assert more, "the server closed the connection"
        time.sleep(1.5)  # between two requests a connection may rest for longer than a request may take
        connection.sendall(request_bytes(BODY))
        receive(connection, b"1.0, 0.0")


def test_a_caller_that_closes_its_side_after_asking_leaves_no_trace(server: RunningServer) -> None:
    """A half-closed socket counts as a caller that left: no HTTP client does this. The next one is served."""
    left = server.metric("reward_rejected_total", code="internal_error")
    for _ in range(20):
        with connected(server) as connection:
            connection.sendall(request_bytes(BODY))
            connection.shutdown(socket.SHUT_WR)
            answer = answer_on(connection)
            assert not answer or b"1.0, 0.0" in answer
    with connected(server) as connection:
        connection.sendall(request_bytes(BODY, length=10_000))
        connection.shutdown(socket.SHUT_WR)
        assert b" 200 " not in answer_on(connection)
    until(lambda: server.metric("reward_pending_samples") == 0)
    assert server.metric("reward_rejected_total", code="internal_error") == left
    assert server.post("/score/verifier", BODY).json()["rewards"] == EARNED


def test_callers_that_leave_at_any_point_cost_nothing_but_their_own_answers(start_server: Starter) -> None:
    """After the header, in the body, before the answer, in the answer; abortively, with a reset."""
    with start_server("--verifier-workers", "1") as server:
        assert server.post("/score/verifier", BODY).json()["rewards"] == EARNED
        pid = server.process.pid
        opened = len(os.listdir(f"/proc/{pid}/fd"))
        many = {"completions": ["\\boxed{4}"] * 4000, "ground_truths": ["4"] * 4000}
        slow = request_bytes(bombs(1))
        for piece in (slow[:60], slow[:-3], slow, request_bytes(many)):
            for _ in range(10):
                connection = connected(server)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # reset, not close
                connection.sendall(piece)
                connection.close()
        until(lambda: server.metric("reward_pending_samples") == 0)
        until(lambda: len(os.listdir(f"/proc/{pid}/fd")) <= opened + 1)  # + 1: our own, kept alive or not
        assert server.post("/score/verifier", BODY).json()["rewards"] == EARNED
        assert server.metric("reward_rejected_total", code="internal_error") == 0
        assert not [line for line in server.log_lines() if line["level"] == "error"]
