"""The only module that knows httpx; imported at the first request, since that takes 0.1 s.

A session is the connections of one process or one event loop. A dropped connection, a timeout or half an answer is
`Lost`, not an exception. Works with httpx 0.28 and with httpx2, its maintained continuation (Python 3.11 and newer),
which is taken where it is installed.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from time import monotonic
from typing import Generic, TypeVar

from trainer_client._errors import BadConfiguration
from trainer_client._proxy import host_of, proxy_of, without_password
from trainer_client._steps import Answer, Lost, Send

try:
    import httpx2 as httpx
except ImportError:
    import httpx  # type: ignore[no-redef, unused-ignore]

MAX_CONNECTIONS = 64
"""At a time; further calls wait here for their turn. As many as slime's own session has, so that a reward model gets
batches from a trainer that sends single samples.
"""
ONE = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=30.0)
"""Each connection has a transport of its own, since httpcore looks at all connections of a pool on each request.
CPU time a request on an event loop, 64 single samples at once to a server that answers at once (2026-11-27):

    httpx 0.28.1     3.08 ms over a pool of 64, 0.61 ms over 64 transports
    httpx2 2.16.2    0.97 ms over a pool of 64, 0.47 ms over 64 transports

A transport does all that is needed of a client: no redirects, cookies, or line in the log for each request.
"""
LONGEST_CONNECT_S = 5.0
"""A host that takes no connection for so long is asked again. TCP itself repeats a lost packet after 1 and 3 s."""
UNKNOWN_HOST = frozenset(
    getattr(socket, name) for name in ("EAI_NONAME", "EAI_NODATA", "EAI_ADDRFAMILY") if hasattr(socket, name)
)
"""What a resolver says of a name that does not exist. EAI_AGAIN says that it could not find out."""
T = TypeVar("T")


@dataclass
class Line(Generic[T]):
    """One connection, which is opened when it is first used. `proxy`: the one on its way, without its password."""

    transport: T
    proxy: str


class Session:
    """Connections of one process, usable from many threads."""

    def __init__(self) -> None:
        self._tls = httpx.create_ssl_context()  # shared, since one takes 20 ms
        self._turns = threading.Semaphore(MAX_CONNECTIONS)
        self._lines: list[Line[httpx.HTTPTransport]] = []
        self._free: dict[str, list[Line[httpx.HTTPTransport]]] = {}
        self._is_closed = False

    def send(self, send: Send) -> Answer | Lost:
        asked = monotonic()
        with self._turns:
            waited_s = monotonic() - asked
            free = self._free.setdefault(send.origin, [])
            try:
                line = free.pop()  # the one used last, so that a few calls keep a few connections
            except IndexError:
                line = self._opened(send)
            try:
                return replace(_sent(line, send), waited_s=waited_s, proxy=line.proxy)
            finally:
                free.append(line)
                if self._is_closed:  # meanwhile: a thread whose result is no longer wanted goes on until here
                    line.transport.close()

    def _opened(self, send: Send) -> Line[httpx.HTTPTransport]:
        self._lines.append(_opened(httpx.HTTPTransport, self._tls, send.url))
        return self._lines[-1]

    def close(self) -> None:
        self._is_closed = True
        for line in self._lines:
            line.transport.close()


class AsyncSession:
    """Connections of one event loop."""

    def __init__(self) -> None:
        self._tls = httpx.create_ssl_context()
        self._turns = asyncio.Semaphore(MAX_CONNECTIONS)
        self._lines: list[Line[httpx.AsyncHTTPTransport]] = []
        self._free: dict[str, list[Line[httpx.AsyncHTTPTransport]]] = {}

    async def send(self, send: Send) -> Answer | Lost:
        asked = monotonic()
        async with self._turns:
            waited_s = monotonic() - asked
            free = self._free.setdefault(send.origin, [])
            line = free.pop() if free else self._opened(send)
            try:
                return replace(await _sent_async(line, send), waited_s=waited_s, proxy=line.proxy)
            finally:
                free.append(line)

    def _opened(self, send: Send) -> Line[httpx.AsyncHTTPTransport]:
        self._lines.append(_opened(httpx.AsyncHTTPTransport, self._tls, send.url))
        return self._lines[-1]

    async def aclose(self) -> None:
        for line in self._lines:
            await line.transport.aclose()


def _sent(line: Line[httpx.HTTPTransport], send: Send) -> Answer | Lost:
    """Within `timeout_s`, but for the time that the host's name takes and an answer that stops half way."""
    ends = monotonic() + send.timeout_s
    request = _request(send)
    request.extensions["trace"] = _until(ends, request.extensions["timeout"])
    try:
        with closing(line.transport.handle_request(request)) as response:
            body = bytearray()
            for part in response.iter_bytes():
                body += part
                if monotonic() > ends:  # a read's timeout begins anew with every read
                    return Lost(f"the answer was not complete after {send.timeout_s:g} s")
            return _answer(response, bytes(body))
    except httpx.RequestError as error:
        return _lost(error)


async def _sent_async(line: Line[httpx.AsyncHTTPTransport], send: Send) -> Answer | Lost:
    """Within `timeout_s`."""
    try:
        return await asyncio.wait_for(_exchanged(line.transport, _request(send)), send.timeout_s)
    except asyncio.TimeoutError:
        return Lost(f"TimeoutError: no whole answer after {send.timeout_s:g} s")
    except httpx.RequestError as error:
        return _lost(error)


async def _exchanged(transport: httpx.AsyncHTTPTransport, request: httpx.Request) -> Answer:
    response = await transport.handle_async_request(request)
    try:
        return _answer(response, await response.aread())
    finally:
        await response.aclose()


def _request(send: Send) -> httpx.Request:
    headers = {"User-Agent": _user_agent(send.adapter), "Accept": "*/*", "X-Request-Id": send.request_id}
    if send.api_key:
        headers["Authorization"] = f"Bearer {send.api_key}"
    timeout = httpx.Timeout(send.timeout_s, connect=min(LONGEST_CONNECT_S, send.timeout_s / 3))
    extensions = {"timeout": timeout.as_dict()}
    if send.body is None:
        return httpx.Request("GET", send.url, headers=headers, extensions=extensions)
    headers["Content-Type"] = "application/json"
    return httpx.Request("POST", send.url, content=send.body, headers=headers, extensions=extensions)


@cache
def _user_agent(adapter: str) -> str:
    """trainer-client/VERSION (adapter)"""
    try:
        ours = version("reward-server")
    except PackageNotFoundError:  # a folder on the path
        ours = "unknown"
    return f"trainer-client/{ours} ({adapter})" if adapter else f"trainer-client/{ours}"


def _until(ends: float, timeouts: dict[str, float]) -> Callable[[str, object], None]:
    """For httpx's `trace`, which is called before each step: writing and reading get what is left, not the whole."""

    def step(_name: str, _info: object) -> None:
        timeouts["write"] = timeouts["read"] = max(0.001, ends - monotonic())

    return step


def _opened(kind: Callable[..., T], tls: ssl.SSLContext, url: str) -> Line[T]:
    proxy = proxy_of(url)
    shown = without_password(proxy) if proxy else ""
    try:
        return Line(kind(limits=ONE, verify=tls, proxy=httpx.Proxy(proxy) if proxy else None), shown)
    except (
        ValueError,
        ImportError,
        httpx.InvalidURL,
    ) as error:  # of no kind that httpx knows, or SOCKS without socksio
        raise BadConfiguration(f"the proxy {shown}: {error} (NO_PROXY={host_of(url)} goes without)") from None


def _answer(response: httpx.Response, body: bytes) -> Answer:
    headers = response.headers
    return Answer(response.status_code, body, headers.get("Retry-After"), request_id=headers.get("X-Request-Id", ""))


def _lost(error: Exception) -> Lost:
    said = f"{type(error).__name__}: {error}".rstrip(": ")
    return Lost(said, is_unknown_host=any(_is_unknown_host(cause) for cause in _causes(error)))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _is_unknown_host(error: BaseException) -> bool:
    return isinstance(error, socket.gaierror) and error.errno in UNKNOWN_HOST
