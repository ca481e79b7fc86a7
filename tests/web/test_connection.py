"""How long a connection lives, and that its objects end with it."""

from __future__ import annotations

import asyncio
import gc
import socket
import time
import weakref

import pytest
import uvicorn
from conftest import Starter
from starlette.types import ASGIApp, Receive, Scope, Send

from reward_server.settings import Settings
from reward_server.web.app import create_app
from reward_server.web.connection import Connection
from reward_server.web.deadlines import Deadlines


async def _answered(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


def test_connections_that_end_by_a_reset_leave_no_object() -> None:
    """As of a client that closes with bytes unread, or a proxy that purges idle connections."""
    seen: list[weakref.ref[Connection]] = []

    async def scenario() -> None:
        config = uvicorn.Config(_answered, lifespan="off", timeout_keep_alive=75, log_config=None)
        config.load()
        state = uvicorn.server.ServerState()
        heads, idle = Deadlines(170, Connection.too_late), Deadlines(75, Connection.too_late)

        def made() -> Connection:
            connection = Connection(config, state, {}, heads=heads, idle=idle, on_refused=lambda code: None)
            seen.append(weakref.ref(connection))
            return connection

        server = await asyncio.get_running_loop().create_server(made, "127.0.0.1", 0)
        address = server.sockets[0].getsockname()
        for _ in range(200):
            reader, writer = await asyncio.open_connection(*address)
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200 OK")
            client: socket.socket = writer.get_extra_info("socket")
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # reset, not close
            writer.close()
        while state.connections:
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        gc.collect()
        assert len(seen) == 200
        assert sum(each() is not None for each in seen) == 0
        server.close()

    asyncio.run(scenario())


def test_a_connection_opened_early_is_not_closed_after_the_time_of_a_request(start_server: Starter) -> None:
    """A pool opens some before it needs them, and a busy client is slow between connecting and asking."""
    with start_server("--request-timeout-s", "0.2") as server:
        address = server.url.removeprefix("http://").split(":")
        with socket.create_connection((address[0], int(address[1]))) as early:
            time.sleep(0.6)  # three times as long as a request may take
            early.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert early.recv(2**16).startswith(b"HTTP/1.1 200 OK")


def test_a_connection_on_which_nothing_is_asked_is_closed_in_the_end() -> None:
    async def scenario() -> None:
        config = uvicorn.Config(_answered, lifespan="off", log_config=None)
        config.load()
        state = uvicorn.server.ServerState()
        heads, idle = Deadlines(170, Connection.too_late), Deadlines(0.05, Connection.too_late)

        def made() -> Connection:
            return Connection(config, state, {}, heads=heads, idle=idle, on_refused=lambda code: None)

        server = await asyncio.get_running_loop().create_server(made, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"\r\n")  # no request begins with it
        assert await reader.read() == b""
        writer.close()
        server.close()

    asyncio.run(scenario())


class Wire(asyncio.Transport):
    """A transport that keeps what is written, a call an entry."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.is_closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.writes.append(bytes(data))

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True

    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...


def _connected(app: ASGIApp) -> tuple[Connection, Wire]:
    """A connection on a wire; call it within a loop."""
    config = uvicorn.Config(app, lifespan="off", timeout_keep_alive=75, log_config=None)
    config.load()
    heads, idle = Deadlines(170, Connection.too_late), Deadlines(75, Connection.too_late)
    state = uvicorn.server.ServerState()
    connection, wire = Connection(config, state, {}, heads=heads, idle=idle, on_refused=lambda code: None), Wire()
    connection.connection_made(wire)
    return connection, wire


async def _exchange(connection: Connection, request: bytes) -> None:
    connection.data_received(request)
    while connection.cycle is None or not connection.cycle.response_complete:
        await asyncio.sleep(0)
    await asyncio.sleep(0)


async def _in_parts(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
    await send({"type": "http.response.body", "body": b"", "more_body": True})
    await send({"type": "http.response.body", "body": b"12", "more_body": True})
    await send({"type": "http.response.body", "body": b"34"})


async def _begun_and_failed(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
    raise RuntimeError


async def _read_and_answered(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await _answered(scope, receive, send)


@pytest.mark.parametrize(
    ("app", "request_head", "writes"),
    [
        (_answered, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", [(b"HTTP/1.1 200", b"ok")]),
        (_answered, b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", [(b"HTTP/1.1 200", b"\r\n\r\n")]),
        (_answered, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", [(b"HTTP/1.1 200", b"ok")]),
        (
            _in_parts,
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
            [(b"HTTP/1.1 200", b"\r\n\r\n"), (b"12", b"12"), (b"34", b"34")],
        ),
        (
            _read_and_answered,
            b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n",
            [(b"HTTP/1.1 100 Continue", b"\r\n\r\n")],
        ),
    ],
    ids=["get", "head", "close", "in parts", "continue"],
)
def test_an_answers_head_and_body_are_written_at_once(
    app: ASGIApp, request_head: bytes, writes: list[tuple[bytes, bytes]]
) -> None:
    """As two they would be two packets, and a caller that wakes twice."""

    async def scenario() -> list[bytes]:
        connection, wire = _connected(app)
        connection.data_received(request_head)
        while len(wire.writes) < len(writes):
            await asyncio.sleep(0)
        if b"Continue" in wire.writes[0]:
            await _exchange(connection, b"{}")
            assert wire.writes.pop().endswith(b"\r\n\r\nok")
        return wire.writes

    written = asyncio.run(scenario())
    assert len(written) == len(writes)
    for each, (begin, end) in zip(written, writes, strict=True):
        assert each.startswith(begin)
        assert each.endswith(end)


def test_the_head_of_an_answer_that_fails_is_sent_before_the_connection_closes() -> None:
    async def scenario() -> None:
        connection, wire = _connected(_begun_and_failed)
        connection.data_received(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        while not wire.is_closed:
            await asyncio.sleep(0)
        (head,) = wire.writes
        assert head.startswith(b"HTTP/1.1 200")

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/score/verifier", 200),
        ("/score/flip?flip_prob=0.4", 200),
        ("/score/mix?verifier=0.8&rpr=0.2", 200),
        ("/score/verifier/verify", 422),
        ("/score/nothing", 404),
        ("/ready", 405),
    ],
)
def test_a_request_leaves_nothing_to_the_garbage_collector(path: str, status: int) -> None:
    """Objects in a circle wait for it, the request's headers among them. It stops the server while it looks."""

    async def scenario() -> None:
        app, _ = create_app(Settings())
        connection, wire = _connected(app)
        body = b'{"completions": ["\\\\boxed{4}"], "ground_truths": ["4"], "groups": ["q-1"]}'
        head = b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (path.encode(), len(body))
        await _exchange(connection, head + body)
        gc.collect()
        gc.disable()
        for _ in range(20):
            await _exchange(connection, head + body)
        assert [answer.split()[1] for answer in wire.writes] == [b"%d" % status] * 21
        assert gc.collect() == 0

    try:
        asyncio.run(scenario())
    finally:
        gc.enable()
