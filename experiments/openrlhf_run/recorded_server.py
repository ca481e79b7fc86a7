"""`reward-server` with a record of what it answered: `python -m experiments.openrlhf_run.recorded_server FILE serve …`.

A line of JSON for every POST, written before the answer leaves the process: so whatever a trainer was told is in the
file, also when the server is killed.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reward_server.cli import app
from reward_server.web import server
from reward_server.web.app import create_app


class Recorded:
    """The app inside, and a line for every POST behind it."""

    def __init__(self, inner: ASGIApp, file: TextIO) -> None:
        self._inner, self._file = inner, file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._inner(scope, receive, send)
            return
        asked, answered = bytearray(), bytearray()
        status = 0

        async def heard() -> Message:
            message = await receive()
            asked.extend(message.get("body", b""))
            return message

        async def said(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            answered.extend(message.get("body", b""))
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                self._write(scope, bytes(asked), status, bytes(answered))
            await send(message)

        await self._inner(scope, heard, said)

    def _write(self, scope: Scope, asked: bytes, status: int, answered: bytes) -> None:
        query = scope["query_string"].decode()
        line = {
            "time": time.time(),
            "path": scope["path"] + (f"?{query}" if query else ""),
            "asked": json.loads(asked or b"null"),
            "status": status,
            "answered": json.loads(answered or b"null"),
        }
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()


def with_record(file: TextIO) -> Callable[..., tuple[ASGIApp, Any]]:
    def create(*args: Any, **options: Any) -> tuple[ASGIApp, Any]:
        inner, service = create_app(*args, **options)
        return Recorded(inner, file), service

    return create


if __name__ == "__main__":
    record = Path(sys.argv.pop(1))
    with record.open("a") as file:
        server.create_app = with_record(file)  # type: ignore[attr-defined]  # all else is `reward-server` as it is
        app()
