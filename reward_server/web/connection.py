"""A connection on which a request's head has limits too: of size, and of the time it may take.

uvicorn bounds neither. A caller that goes on sending headers (or trailers, after a chunked body) would fill the memory
before any layer of ours is asked, and one that stops in the middle of them would hold the connection for ever; so would
one that got its answer before it sent all of its body.

`Upgrade` is ignored, as RFC 9110 (7.8) allows: Java's HTTP client offers HTTP/2 with every request of its own accord.
The parser stops after the head of such a request, and would read its body as the next request. So a new parser gets
the head again without that field, and then what follows it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from reward_server.errors import DeadlineExceeded, MethodNotAllowed, RewardServerError, TooLarge
from reward_server.web.deadlines import Deadlines
from reward_server.web.one_write import OneWrite
from reward_server.web.responses import error_response

HEAD_BYTES = 64 * 1024
"""More than any proxy passes on. A read that completes a head is not counted, so one may be larger by a read."""


class Connection(HttpToolsProtocol):
    """`heads`: for a head, from its first byte, and for what comes of a body after its answer. `idle`: for a connection
    on which nothing was asked yet. A pool may have opened it early, so it has the time of one that is kept, however
    short that of a request is. `on_refused(code)` counts.
    """

    def __init__(
        self,
        *args: Any,
        heads: Deadlines[Connection],
        idle: Deadlines[Connection],
        on_refused: Callable[[str], object],
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        self._heads = heads
        self._idle = idle
        self._on_refused = on_refused
        self._has_begun = False
        self._is_in_head = True
        self._parts = 0
        self._bytes_without_part = 0
        self._is_upgrade = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn declares it
        super().connection_made(transport)
        self._idle.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._heads.discard(self)
        self._idle.discard(self)
        self._unset_keepalive_if_required()  # uvicorn forgets it after a reset, and it holds this object
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        parts = self._parts
        if self.timeout_keep_alive_task is not None:
            self._unset_keepalive_if_required()
        try:
            self._parse(data)
        except HttpParserError:
            self.send_400_response("Invalid HTTP request received.")
        if self.transport.is_closing():
            return
        self._bytes_without_part = 0 if self._parts != parts else self._bytes_without_part + len(data)
        if self._bytes_without_part > HEAD_BYTES:
            self._refuse(TooLarge(f"the request's head is over {HEAD_BYTES} bytes"))
        elif self._has_begun and self._is_in_head and self not in self._heads:
            self._heads.add(self)

    def _parse(self, data: bytes | memoryview) -> None:
        """Feeds the parser; a head that offers an upgrade once more, without the offer."""
        while True:
            try:
                self.parser.feed_data(data)
            except HttpParserUpgrade as stopped:
                self._is_upgrade = False
                method = self.parser.get_method()
                if method == b"CONNECT":
                    self._refuse(MethodNotAllowed("this server is no proxy: it knows no CONNECT"))
                    return
                data = memoryview(data)[stopped.args[0] :]
                start = b"%b %b HTTP/%b\r\n" % (method, self.url, self.parser.get_http_version().encode())
                fields = [b"%b: %b\r\n" % field for field in self.headers if field[0] != b"upgrade"]
                self.parser = HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn has it
                self.parser.feed_data(b"".join((start, *fields, b"\r\n")))
            else:
                return

    def on_message_begin(self) -> None:
        self._has_begun = True
        self._idle.discard(self)
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._is_in_head:  # trailers would be added to the headers, and nobody reads them
            name = name.lower()
            if name == b"expect":
                super().on_header(name, value)
            else:  # all that it would do, a call less for each field
                self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._is_upgrade = self.parser.should_upgrade()
        if self._is_upgrade:
            return
        self._parts += 1
        self._is_in_head = False
        self._heads.discard(self)
        if self.timeout_keep_alive_task is not None:
            self._unset_keepalive_if_required()
        super().on_headers_complete()
        if self.scope["method"] != "HEAD":
            self.cycle.transport = OneWrite(self.transport)  # type: ignore[assignment]  # it has all that a cycle calls

    def on_body(self, body: bytes) -> None:
        self._parts += 1
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self._is_upgrade:
            return
        self._parts += 1
        self._has_begun, self._is_in_head = False, True
        self._heads.discard(self)
        super().on_message_complete()
        if self.cycle.response_complete:  # answered before its body was complete: idle only now
            self._unset_keepalive_if_required()
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self._is_in_head and self.cycle.response_complete and self not in self._heads:
            self._heads.add(self)

    def too_late(self) -> None:
        if self._has_begun and self._is_in_head:
            self._refuse(DeadlineExceeded(f"the request's head was not complete after {self._heads.seconds:g} s"))
        else:  # it asked nothing, or has its answer
            self.transport.close()

    def _refuse(self, error: RewardServerError) -> None:
        self._heads.discard(self)
        self._on_refused(error.code)
        if not self._is_in_head or (self.cycle is not None and not self.cycle.response_complete):
            self.transport.abort()  # an answer now would be taken for that of the request before
            return
        response = error_response(error)
        status = f"HTTP/1.1 {response.status_code} {HTTPStatus(response.status_code).phrase}\r\n".encode()
        headers = [*response.raw_headers, (b"connection", b"close")]
        self.transport.write(status + b"".join(b"%b: %b\r\n" % header for header in headers) + b"\r\n" + response.body)
        self.transport.close()
