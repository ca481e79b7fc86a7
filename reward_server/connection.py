"""A connection on which a request's head has limits too: of size, and of the time it may take.

uvicorn bounds neither. A caller that goes on sending headers would fill the memory before any layer of ours is asked,
and one that stops in the middle of them would hold the connection for ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from reward_server.errors import DeadlineExceeded, RewardServerError, TooLarge
from reward_server.responses import error_response

HEAD_BYTES = 64 * 1024
"""More than any proxy passes on. A read that completes a head is not counted, so one may be larger by a read."""


class Connection(HttpToolsProtocol):
    """`head_s`: from the first byte of a request's head, or from connecting, to its end. `on_refused(code)` counts."""

    def __init__(self, *args: Any, head_s: float, on_refused: Callable[[str], object], **options: Any) -> None:
        super().__init__(*args, **options)
        self._head_s = head_s
        self._on_refused = on_refused
        self._heads = 0
        self._is_in_head = True
        self._head_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._head_timer = self.loop.call_later(self._head_s, self._too_late)

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        heads, was_in_head = self._heads, self._is_in_head
        super().data_received(data)
        if not self._is_in_head or not was_in_head or self._heads != heads or self.transport.is_closing():
            return
        self._head_bytes += len(data)
        if self._head_bytes > HEAD_BYTES:
            self._refuse(TooLarge(f"the request's head is over {HEAD_BYTES} bytes"))
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(self._head_s, self._too_late)

    def on_headers_complete(self) -> None:
        self._heads += 1
        self._head_bytes = 0
        self._is_in_head = False
        self._forget_timer()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._is_in_head = True
        super().on_message_complete()

    def _too_late(self) -> None:
        self._refuse(DeadlineExceeded(f"the request's head was not complete after {self._head_s:g} s"))

    def _refuse(self, error: RewardServerError) -> None:
        self._forget_timer()
        self._on_refused(error.code)
        if self.cycle is not None and not self.cycle.response_complete:  # the request before is not answered yet
            self.transport.abort()
            return
        response = error_response(error)
        status = f"HTTP/1.1 {response.status_code} {HTTPStatus(response.status_code).phrase}\r\n".encode()
        headers = [*response.raw_headers, (b"connection", b"close")]
        self.transport.write(status + b"".join(b"%b: %b\r\n" % header for header in headers) + b"\r\n" + response.body)
        self.transport.close()

    def _forget_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
