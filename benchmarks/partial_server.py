"""Our server with only its first layers, for `request_path`: `python -m benchmarks.partial_server LAYER`.

uvicorn      an application that reads the body and answers the same bytes
connection   the same behind our Connection
middleware   and RequestLayer: the id, the key, the log line, the metrics
work         and Work: the deadline, the body's limits, the watch on the caller
dialect      and the plan, parsing, rendering and headers: all but Scorer.derive, whose first result is repeated
"""

from __future__ import annotations

import socket
import sys
from functools import partial
from typing import Any

import uvicorn
from fastapi import Request, Response

from reward_server import logs, scoring
from reward_server.admission import Admission
from reward_server.counting.metrics import Metrics
from reward_server.rewards.found import Derivation
from reward_server.settings import Settings
from reward_server.web.app import create_app
from reward_server.web.body import Works
from reward_server.web.connection import Connection
from reward_server.web.deadlines import Deadlines
from reward_server.web.middleware import RequestLayer
from reward_server.web.server import KEEP_ALIVE_S

LAYERS = ("uvicorn", "connection", "middleware", "work", "dialect")
BODY = b'{"rewards":[1.0]}'
HEADERS = [(b"content-length", str(len(BODY)).encode()), (b"content-type", b"application/json")]
SETTINGS = Settings(log_format="json", verifier_workers=1)
WORKS = Works(SETTINGS, Admission(max_pending_samples=65_536, max_pending_bytes=2**30, max_wait_s=170))


async def constant(_scope: Any, receive: Any, send: Any) -> None:
    """Reads the body, answers the same bytes."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": BODY})


async def behind_middleware(request: Request) -> Response:
    """The same as an endpoint."""
    while (await request.receive()).get("more_body"):
        pass
    return Response(BODY, media_type="application/json")


async def under_work(request: Request) -> Response:
    """The same within Work."""
    with WORKS.begin(request) as work:
        await work.body()
        return Response(BODY, media_type="application/json")


def repeat_the_first_derivation() -> None:
    """Scorer.derive scores once, and gives that result from then on."""
    derive = scoring.Scorer.derive
    first: list[list[Derivation]] = []

    async def repeated(self: scoring.Scorer, plan: Any, samples: Any, times: Any = None) -> list[Derivation]:
        if not first:
            first.append(await derive(self, plan, samples, times))
        return first[0]

    scoring.Scorer.derive = repeated  # type: ignore[method-assign]  # that is the point


def app_of(layer: str) -> Any:
    """The application with the layers up to this one."""
    if layer == "dialect":
        repeat_the_first_derivation()
        return create_app(SETTINGS)[0]
    if layer in ("uvicorn", "connection"):
        return constant
    endpoint = behind_middleware if layer == "middleware" else under_work
    return RequestLayer(constant, direct={"/score/verifier": endpoint}, keys=[], metrics=Metrics())


def main(layer: str) -> None:
    """Serves on a free port, which it prints."""
    logs.configure(SETTINGS)
    heads, idle = Deadlines(170, Connection.too_late), Deadlines(KEEP_ALIVE_S, Connection.too_late)
    ours = partial(Connection, heads=heads, idle=idle, on_refused=lambda _code: None)
    config = uvicorn.Config(
        app_of(layer),
        http="httptools" if layer == "uvicorn" else ours,  # type: ignore[arg-type]  # called as a class is
        loop="uvloop",
        ws="none",
        proxy_headers=False,
        access_log=False,
        log_config=None,
        server_header=False,
        lifespan="on" if layer == "dialect" else "off",
    )
    listener = socket.create_server(("127.0.0.1", 0))
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main(sys.argv[1])
