"""The least HTTP client that can measure: a connection posts a body and says when the answer came."""

from __future__ import annotations

import asyncio
import json
import resource
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Answer:
    """`seconds` from the request's first byte (or from connecting, on a fresh connection) to the answer's last."""

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float

    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)


class Connection:
    """One connection, opened when it is needed; not for two requests at a time."""

    def __init__(self, url: str) -> None:
        where = urlsplit(url)
        self._where = (str(where.hostname), where.port or 80)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, body: bytes) -> Answer:
        """Raises OSError or EOFError where the connection fails."""
        started = time.perf_counter()
        if self._streams is None:
            self._streams = await asyncio.open_connection(*self._where)
        reader, writer = self._streams
        writer.write(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines) if name}
        content = await reader.readexactly(int(headers["content-length"]))
        if headers.get("connection") == "close":
            self.close()
        return Answer(int(first.split()[1]), headers, content, time.perf_counter() - started)

    @property
    def is_closed(self) -> bool:
        """True when the server closed it, as it does with one that rests for long."""
        return self._streams is not None and self._streams[0].at_eof()

    def close(self) -> None:
        """The next request opens another."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


def percentile(values: list[float], share: float) -> float:
    """The value that `share` (0 … 1) of the values do not pass."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def raise_file_limit() -> int:
    """As many files as the system allows; that number."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
