"""An HTTP server in threads whose answers a test writes: what a reward server or a proxy might say."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


@dataclass(frozen=True)
class Asked:
    """`target`: as it stands in the request's first line, a whole URL where the caller takes us for a proxy."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Said:
    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)


def rewards_of(asked: Asked) -> Said:
    """The reply of `rpr` to a native request: a completion's reward is the number that it is."""
    completions = asked.json["completions"]
    reply = {
        "reward": "rpr",
        "rewards": [float(completion) for completion in completions],
        "outcomes": ["scored" for _ in completions],
        "parts": {},
        "version": "1",
        "config": "c",
    }
    return Said(body=json.dumps(reply).encode())


@contextmanager
def answering(answer: Callable[[Asked], Said]) -> Iterator[str]:
    """Gives the server's URL. `answer` may wait; it is called in a thread of its own for each connection."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            said = answer(Asked(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            self.send_response(said.status)
            for name, value in {"Content-Length": str(len(said.body)), **said.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(said.body)

        do_GET = do_POST = answer

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a caller that left is no error here
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
