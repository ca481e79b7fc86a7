"""The only module that knows httpx; imported at the first request, since that takes 0.2 s.

A session is one pool of connections. A dropped connection, a timeout or half an answer is `Lost`, not an exception.
"""

from __future__ import annotations

import asyncio
from contextlib import closing
from time import monotonic

import httpx

from trainer_client._exchange import Answer, Lost, Send

MAX_CONNECTIONS = 16
"""At a time; further calls wait for their turn here. httpcore looks at every connection on each request, so that many
connections are slower than few: measured, one sample a request, 610 requests a second over 4, 350 over 16, 210 over 64.
"""
LIMITS = httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_CONNECTIONS, keepalive_expiry=30.0)


class Session:
    """Connections of one process, usable from many threads."""

    def __init__(self) -> None:
        self._client = httpx.Client(limits=LIMITS)

    def send(self, send: Send) -> Answer | Lost:
        ends = monotonic() + send.timeout_s
        try:
            with closing(self._client.send(_request(self._client, send), stream=True)) as response:
                body = bytearray()
                for part in response.iter_bytes():
                    body += part
                    if monotonic() > ends:  # httpx's timeouts are for each read, however many there are
                        return Lost(f"the answer was not complete after {send.timeout_s:g} s")
                return _answer(response, bytes(body))
        except httpx.RequestError as error:
            return _lost(error)

    def close(self) -> None:
        self._client.close()


class AsyncSession:
    """Connections of one event loop."""

    def __init__(self) -> None:
        self._client = httpx.AsyncClient(limits=LIMITS)
        self._turns = asyncio.Semaphore(MAX_CONNECTIONS)

    async def send(self, send: Send) -> Answer | Lost:
        try:
            response = await asyncio.wait_for(self._in_turn(send), send.timeout_s)
        except (httpx.RequestError, asyncio.TimeoutError) as error:
            return _lost(error)
        return _answer(response, response.content)

    async def _in_turn(self, send: Send) -> httpx.Response:
        async with self._turns:
            return await self._client.send(_request(self._client, send))

    async def aclose(self) -> None:
        await self._client.aclose()


def _request(client: httpx.Client | httpx.AsyncClient, send: Send) -> httpx.Request:
    headers = {"Authorization": f"Bearer {send.api_key}"} if send.api_key else {}
    if send.body is None:
        return client.build_request("GET", send.url, headers=headers, timeout=send.timeout_s)
    headers["Content-Type"] = "application/json"
    return client.build_request("POST", send.url, content=send.body, headers=headers, timeout=send.timeout_s)


def _answer(response: httpx.Response, body: bytes) -> Answer:
    return Answer(response.status_code, body, response.headers.get("Retry-After"))


def _lost(error: Exception) -> Lost:
    return Lost(f"{type(error).__name__}: {error}".rstrip(": "))
