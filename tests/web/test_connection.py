"""How long a connection lives, and that its objects end with it."""

from __future__ import annotations

import asyncio
import gc
import socket
import time
import weakref

import uvicorn
from conftest import Starter

from reward_server.web.connection import Connection
from reward_server.web.deadlines import Deadlines


async def _answered(scope: object, receive: object, send: object) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})  # type: ignore[operator]
    await send({"type": "http.response.body", "body": b"ok"})  # type: ignore[operator]


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
