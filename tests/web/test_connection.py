"""A connection's objects end with it, however it ends."""

from __future__ import annotations

import asyncio
import gc
import socket
import weakref

import uvicorn

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
        heads = Deadlines(170, Connection.too_late)

        def made() -> Connection:
            connection = Connection(config, state, {}, heads=heads, on_refused=lambda code: None)
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
