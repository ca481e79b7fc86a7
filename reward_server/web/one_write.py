"""An answer's head and its body in one call to the system.

uvicorn writes the two apart, and uvloop sends each at once: one more system call and one more packet, and the caller
wakes twice.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus

CONTINUE = b"HTTP/1.1 %d " % HTTPStatus.CONTINUE


class OneWrite:
    """Stands for the transport of one of uvicorn's cycles. A head waits for what comes next: a part of the body, be it
    empty, or the end of the connection. Not for HEAD, after which nothing comes."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head: bytes | None = None
        self._has_begun = False
        self.is_closing = transport.is_closing

    def write(self, data: bytes) -> None:
        if self._head is not None:
            self._transport.write(self._head + data)
            self._head = None
        elif self._has_begun or data.startswith(CONTINUE):  # which says: send your body
            self._transport.write(data)
        else:
            self._head = data
            self._has_begun = True

    def close(self) -> None:
        if self._head is not None:
            self._transport.write(self._head)
        self._transport.close()
