"""The outermost layer: request ids, keys, errors, the log line and the metrics of every request.

Pure ASGI, outside FastAPI's own layers. A burst of 16,384 one-sample requests is the common case, so the scoring paths
are looked up in a dict and called directly; FastAPI serves all others, and documents these too.
"""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from itertools import count
from time import perf_counter
from typing import Any

from fastapi import Request, Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reward_server.counting.metrics import Metrics
from reward_server.dialects.nemo_gym import plain_path
from reward_server.errors import InternalError, MethodNotAllowed, Unauthorized
from reward_server.logs import FIELDS, write
from reward_server.web.auth import is_authorised, is_protected
from reward_server.web.responses import as_ours, error_response, wrong_method

log = logging.getLogger("reward_server.requests")
Endpoint = Callable[[Request], Awaitable[Response]]
REQUEST_ID = re.compile(rb"[\x21-\x7e]{1,128}")
AGENT = re.compile(rb"[\x20-\x7e]{1,128}")
TRACE = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?")
"""`traceparent` as W3C's Trace Context has it: version, trace, span, flags."""
PROCESS_ID = secrets.token_hex(4)
NUMBERS = count(1)
"""A request without an id of its own gets the process's and a number."""
QUIET_ROUTES = frozenset({"/health", "/ready", "/metrics"})
"""Asked every few seconds by machines: their lines are debug."""


class RequestLayer:
    """Wraps the app; `direct` has the endpoints that skip it, by path. A route adds to its log line through `note`."""

    def __init__(
        self, app: ASGIApp, *, direct: Mapping[str, Endpoint], keys: Sequence[bytes], metrics: Metrics
    ) -> None:
        self.app = app
        self._direct = direct
        self._keys = keys
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope["path"] = plain_path(scope["path"])
        exchange = Exchange(scope)
        try:
            self._check_key(scope["path"], exchange.headers.get(b"authorization", b""))
            await self._dispatch(scope, receive, send, exchange)
        except Exception as error:  # noqa: BLE001 - every exception becomes an answer, here and nowhere else
            response = exchange.failed(error)
            if not exchange.status:  # else an answer has begun, and cutting it off is all that is left
                await exchange.answer(response, send)
        self._record(exchange, scope)

    async def _dispatch(self, scope: Scope, receive: Receive, send: Send, exchange: Exchange) -> None:
        endpoint = self._direct.get(scope["path"]) if scope["method"] == "POST" else None
        if endpoint is None:
            await self.app(scope, receive, partial(exchange.pass_on, send))
        else:
            await exchange.answer(await endpoint(Request(scope, receive)), send)

    def _check_key(self, path: str, authorization: bytes) -> None:
        if self._keys and is_protected(path) and not is_authorised(authorization, self._keys):
            raise Unauthorized("this server needs a key: `Authorization: Bearer KEY`, or http://user:KEY@host")

    def _record(self, exchange: Exchange, scope: Scope) -> None:
        seconds = perf_counter() - exchange.started
        path = scope["path"]
        route = path if path in self._direct else getattr(scope.get("route"), "path", "none")
        dialect = exchange.fields.get("dialect", "none")
        self._metrics.count_request(route, dialect, exchange.status, seconds)
        if "error" in exchange.fields:
            self._metrics.count_refusal(exchange.fields["error"])
        level = logging.DEBUG if route in QUIET_ROUTES else logging.INFO
        if log.isEnabledFor(level):
            line = {
                "request_id": exchange.request_id,
                "method": scope["method"],
                "route": route,
                "status": exchange.status,
                "ms": round(seconds * 1000, 3),
                "client": scope["client"][0] if scope["client"] else None,
                "agent": exchange.agent,
                **exchange.fields,
            }
            write(log, level, "request", line)


class Exchange:
    """One request and its answer: the id goes in and out, the status is seen on its way.

    It keeps no `send`. That belongs to an object which holds the scope, and the scope holds this: each request would
    leave a circle of fifteen objects to the garbage collector.
    """

    __slots__ = ("fields", "headers", "request_id", "started", "status")

    def __init__(self, scope: Scope) -> None:
        self.started = perf_counter()
        self.headers = dict(scope["headers"])
        given = self.headers.get(b"x-request-id", b"")
        self.request_id = given.decode() if given and REQUEST_ID.fullmatch(given) else f"{PROCESS_ID}-{next(NUMBERS)}"
        self.status = 0
        self.fields: dict[str, Any] = {}
        if b"traceparent" in self.headers and (trace := TRACE.fullmatch(self.headers[b"traceparent"])):
            self.fields["trace_id"] = trace[1].decode()
        scope.setdefault("state", {})["exchange"] = self

    @property
    def agent(self) -> str | None:
        """What the caller says that it is: our client names its trainer."""
        given = self.headers.get(b"user-agent")
        return given.decode() if given and AGENT.fullmatch(given) else None

    def failed(self, error: Exception) -> Response:
        """The answer to an error; an unexpected one goes to the log with its traceback."""
        ours = as_ours(error, self.request_id)
        if isinstance(ours, InternalError) and "error" not in self.fields:
            log.error("a request failed", exc_info=error, extra={FIELDS: {"request_id": self.request_id}})
        self.fields["error"] = ours.code
        return error_response(ours)

    async def pass_on(self, send: Send, message: Message) -> None:
        """Sends a message of FastAPI's."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message["headers"], (b"x-request-id", self.request_id.encode())]
        await send(message)

    async def answer(self, response: Response, send: Send) -> None:
        """Sends a response that has all of its body, past Starlette's own way, which takes four calls more."""
        self.status = response.status_code
        headers = [*response.raw_headers, (b"x-request-id", self.request_id.encode())]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": response.body})


def note(scope: Scope, **fields: object) -> None:
    """Adds fields to the request's log line; never a prompt or a completion."""
    exchange: Exchange = scope["state"]["exchange"]
    exchange.fields.update(fields)


def request_id_of(scope: Scope) -> str:
    """The caller's X-Request-ID, or the one that the request got here."""
    exchange: Exchange = scope["state"]["exchange"]
    return exchange.request_id


async def answer_error(request: Request, error: Exception) -> Response:
    """The handler of every exception inside FastAPI's layers."""
    exchange: Exchange = request.scope["state"]["exchange"]
    if isinstance(error, HTTPException) and error.status_code == MethodNotAllowed.status:
        return exchange.failed(wrong_method(request))
    return exchange.failed(error)
