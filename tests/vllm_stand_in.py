"""A stand-in for a vLLM server: `/classify` as vLLM 0.32 was seen to behave."""

from __future__ import annotations

import asyncio
import json
import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from reward_server.reward_model.engine import UnfitModel
from reward_server.reward_model.remote.engine import RemoteEngine
from reward_server.reward_model.remote.kinds import Kind, Vllm

MAX_LENGTH = 100


def model(name: str, *, root: str = "/model", parent: str | None = None) -> dict[str, object]:
    """An entry of /v1/models; with a parent an adapter's, which has no length."""
    return {"id": name, "root": root, "parent": parent, "max_model_len": None if parent else MAX_LENGTH}


def sigmoid(score: float) -> float:
    return 1 / (1 + math.exp(-score))


class StandIn(ThreadingHTTPServer):
    """A server whose raw score is the sum of the ids / 100; `behave` may answer first, with (status, text)."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.behave: Callable[[list[int]], tuple[int, str] | None] = lambda ids: None
        self.kind: Kind = Vllm()
        self.knows_switch = True
        self.activates = True
        self.activation: Callable[[float], float] = sigmoid
        self.healthy = True
        self.probes = 0  # of /health
        self.key: str | None = None
        self.models: list[dict[str, object]] = [model("rm")]
        self.labels = 1
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[str | None] = []
        self.in_flight = self.most_in_flight = 0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def answer(self, body: dict[str, Any]) -> tuple[int, str]:
        ((ids),) = body["input"]
        behaviour = self.behave(ids)
        if behaviour is not None:
            return behaviour
        if len(ids) > MAX_LENGTH:
            return 400, "This model's maximum context length is 100 tokens"
        switch = body.get("use_activation") if self.knows_switch else None
        if not isinstance(switch, bool | None):
            return 400, "use_activation: Input should be a valid boolean"
        raw = sum(ids) / 100
        activated = self.activates and switch is not False
        score = self.activation(raw) if activated else raw
        return 200, json.dumps({"data": [{"index": 0, "probs": [score] * self.labels, "num_classes": self.labels}]})


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: StandIn

    def do_GET(self) -> None:
        if self.path == "/health":
            self.server.probes += 1
            self.reply(200 if self.server.healthy else 503, "")
        elif not self.may_enter():
            self.reply(401, '{"error":"Unauthorized"}')
        elif self.path == "/v1/models":
            self.reply(200, json.dumps({"object": "list", "data": self.server.models}))
        else:
            self.reply(404, "Not Found")

    def do_POST(self) -> None:
        server = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with server.lock:
            server.bodies.append(body)
            server.headers.append(self.headers["Authorization"])
            server.in_flight += 1
            server.most_in_flight = max(server.in_flight, server.most_in_flight)
        status, text = server.answer(body) if self.path == "/classify" else (404, "Not Found")
        if not self.may_enter():
            status, text = 401, '{"error":"Unauthorized"}'
        with server.lock:
            server.in_flight -= 1
        if status:
            self.reply(status, text)
        else:
            self.close_connection = True  # as a server that is killed: no answer at all

    def may_enter(self) -> bool:
        """With a key vLLM asks for it under /v1 only, a proxy before it everywhere: here everywhere but at /health."""
        return self.server.key is None or self.headers["Authorization"] == f"Bearer {self.server.key}"

    def reply(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Not to the test's output."""


@contextmanager
def running_stand_in(port: int = 0) -> Iterator[StandIn]:
    """A stand-in that answers, in a thread of its own; port 0 picks a free one."""
    with StandIn(port) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield running
        finally:  # also after a failure, which would else keep the process from ending
            running.shutdown()
            thread.join()


def refused(server: StandIn, **options: Any) -> str:
    """What a start of the engine against the stand-in is refused with."""

    async def start() -> None:
        async with RemoteEngine.connected(server.kind, server.url, **options):
            pass

    with pytest.raises(UnfitModel) as refusal:
        asyncio.run(asyncio.wait_for(start(), 600))
    return str(refusal.value)
