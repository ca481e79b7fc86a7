"""The outermost layer: request ids, keys, errors, the log line and the metrics of every request.

Pure ASGI, outside FastAPI's own layers. A burst of 16,384 one-sample requests is the common case, so the scoring paths are
looked up in a dict and called directly; FastAPI serves all others, and documents these too.
"""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import count
from time import perf_counter
from typing import Any

from fastapi import Request, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reward_server.auth import is_authorised, is_protected
from reward_server.errors import InternalError, RewardServerError, Unauthorized
from reward_server.logs import FIELDS
from reward_server.metrics import Metrics
from reward_server.responses import error_response

log = logging.getLogger("reward_server.requests")
Endpoint = Callable[[Request], Awaitable[Response]]
REQUEST_ID = re.compile(rb"[\x21-\x7e]{1,128}")
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
        exchange = _Exchange(scope, send)
        try:
            self._check_key(scope["path"], exchange.headers.get(b"authorization", b""))
            await self._dispatch(scope, receive, exchange.send)
        except RewardServerError as error:
            await self._answer(error, exchange, scope, receive)
        except Exception:
            log.exception("a request failed", extra={FIELDS: {"request_id": exchange.request_id}})
            ours = InternalError(f"an internal error; the log has it under request id {exchange.request_id}")
            await self._answer(ours, exchange, scope, receive)
        self._record(exchange, scope)

    async def _dispatch(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self._direct.get(scope["path"]) if scope["method"] == "POST" else None
        if endpoint is None:
            await self.app(scope, receive, send)
        else:
            response = await endpoint(Request(scope, receive))
            await response(scope, receive, send)

    def _check_key(self, path: str, authorization: bytes) -> None:
        if self._keys and is_protected(path) and not is_authorised(authorization, self._keys):
            raise Unauthorized("this server needs a key: `Authorization: Bearer KEY`, or http://user:KEY@host")

    async def _answer(self, error: RewardServerError, exchange: _Exchange, scope: Scope, receive: Receive) -> None:
        exchange.fields["error"] = error.code
        self._metrics.rejected.labels(error.code).inc()
        if not exchange.status:  # else the answer has begun, and cutting it off is all that is left
            await error_response(error)(scope, receive, exchange.send)

    def _record(self, exchange: _Exchange, scope: Scope) -> None:
        seconds = perf_counter() - exchange.started
        path = scope["path"]
        route = path if path in self._direct else getattr(scope.get("route"), "path", "none")
        dialect = exchange.fields.get("dialect", "none")
        self._metrics.requests.labels(route, dialect, exchange.status).inc()
        self._metrics.request_seconds.labels(route).observe(seconds)
        level = logging.DEBUG if route in QUIET_ROUTES else logging.INFO
        if log.isEnabledFor(level):
            line = {
                "request_id": exchange.request_id,
                "method": scope["method"],
                "route": route,
                "status": exchange.status,
                "ms": round(seconds * 1000, 3),
                **exchange.fields,
            }
            log.log(level, "request", extra={FIELDS: line})


class _Exchange:
    """One request and its answer: the id goes in and out, the status is seen on its way."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self.started = perf_counter()
        self.headers = dict(scope["headers"])
        given = self.headers.get(b"x-request-id", b"")
        self.request_id = given.decode() if REQUEST_ID.fullmatch(given) else f"{PROCESS_ID}-{next(NUMBERS)}"
        self.status = 0
        self.fields: dict[str, Any] = {}
        scope.setdefault("state", {})["fields"] = self.fields
        self._send = send

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message["headers"], (b"x-request-id", self.request_id.encode())]
        await self._send(message)


def note(scope: Scope, **fields: object) -> None:
    """Adds fields to the request's log line; never a prompt or a completion."""
    scope["state"]["fields"].update(fields)
