"""The only module that knows httpx; imported at the first request, since that takes 0.2 s.

A session is the connections of one process or one event loop. A dropped connection, a timeout or half an answer is
`Lost`, not an exception.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from time import monotonic

import httpx

from trainer_client._exchange import Answer, Lost, Send

MAX_CONNECTIONS = 64
"""At a time; further calls wait here for their turn. As many as slime's own session has, so that a reward model gets
batches from a trainer that sends single samples.
"""
ONE = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=30.0)
"""Each connection has an httpx client of its own, since httpcore looks at all connections of a pool on each request.
Measured on an event loop, single samples to a server that answers at once: 95 requests a second over a pool of 64,
280 over a pool of 16, 1,000 over 64 clients.
"""
LONGEST_CONNECT_S = 5.0
"""A host that takes no connection for so long is asked again. TCP itself repeats a lost packet after 1 and 3 s."""


class Session:
    """Connections of one process, usable from many threads."""

    def __init__(self) -> None:
        self._tls = httpx.create_ssl_context()  # shared, since one takes 20 ms
        self._turns = threading.Semaphore(MAX_CONNECTIONS)
        self._clients: list[httpx.Client] = []
        self._free: list[httpx.Client | None] = [None] * MAX_CONNECTIONS

    def send(self, send: Send) -> Answer | Lost:
        asked = monotonic()
        with self._turns:
            waited_s = monotonic() - asked
            client = self._free.pop()  # the one used last, so that a few calls keep a few connections
            try:
                client = client or self._opened()
                return replace(_sent(client, send), waited_s=waited_s)
            finally:
                self._free.append(client)

    def _opened(self) -> httpx.Client:
        self._clients.append(httpx.Client(limits=ONE, verify=self._tls))
        return self._clients[-1]

    def close(self) -> None:
        for client in self._clients:
            client.close()


class AsyncSession:
    """Connections of one event loop."""

    def __init__(self) -> None:
        self._tls = httpx.create_ssl_context()
        self._turns = asyncio.Semaphore(MAX_CONNECTIONS)
        self._clients: list[httpx.AsyncClient] = []
        self._free: list[httpx.AsyncClient | None] = [None] * MAX_CONNECTIONS

    async def send(self, send: Send) -> Answer | Lost:
        asked = monotonic()
        async with self._turns:
            waited_s = monotonic() - asked
            client = self._free.pop()
            try:
                client = client or self._opened()
                return replace(await _sent_async(client, send), waited_s=waited_s)
            finally:
                self._free.append(client)

    def _opened(self) -> httpx.AsyncClient:
        self._clients.append(httpx.AsyncClient(limits=ONE, verify=self._tls))
        return self._clients[-1]

    async def aclose(self) -> None:
        for client in self._clients:
            await client.aclose()


def _sent(client: httpx.Client, send: Send) -> Answer | Lost:
    """Within `timeout_s`, but for the time that the host's name takes and an answer that stops half way."""
    ends = monotonic() + send.timeout_s
    request = _request(client, send)
    request.extensions["trace"] = _until(ends, request.extensions["timeout"])
    try:
        with closing(client.send(request, stream=True)) as response:
            body = bytearray()
            for part in response.iter_bytes():
                body += part
                if monotonic() > ends:  # a read's timeout begins anew with every read
                    return Lost(f"the answer was not complete after {send.timeout_s:g} s")
            return _answer(response, bytes(body))
    except httpx.RequestError as error:
        return _lost(error)


async def _sent_async(client: httpx.AsyncClient, send: Send) -> Answer | Lost:
    """Within `timeout_s`."""
    try:
        response = await asyncio.wait_for(client.send(_request(client, send)), send.timeout_s)
    except (httpx.RequestError, asyncio.TimeoutError) as error:
        return _lost(error)
    return _answer(response, response.content)


def _request(client: httpx.Client | httpx.AsyncClient, send: Send) -> httpx.Request:
    headers = {"Authorization": f"Bearer {send.api_key}"} if send.api_key else {}
    timeout = httpx.Timeout(send.timeout_s, connect=min(LONGEST_CONNECT_S, send.timeout_s / 3))
    if send.body is None:
        return client.build_request("GET", send.url, headers=headers, timeout=timeout)
    headers["Content-Type"] = "application/json"
    return client.build_request("POST", send.url, content=send.body, headers=headers, timeout=timeout)


def _until(ends: float, timeouts: dict[str, float]) -> Callable[[str, object], None]:
    """For httpx's `trace`, which is called before each step: writing and reading get what is left, not the whole."""

    def step(_name: str, _info: object) -> None:
        timeouts["write"] = timeouts["read"] = max(0.001, ends - monotonic())

    return step


def _answer(response: httpx.Response, body: bytes) -> Answer:
    return Answer(response.status_code, body, response.headers.get("Retry-After"))


def _lost(error: Exception) -> Lost:
    return Lost(f"{type(error).__name__}: {error}".rstrip(": "))
