"""The page's server: a process of its own on the loopback, which reads a record and writes nothing but labels."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from reward_server.errors import CommandError
from reward_server.settings import Settings
from reward_server.view.guard import Guard
from reward_server.view.index import Index
from reward_server.view.pages import Missing, Pages
from reward_server.view.today import Deriver, deriver

STATIC = files("reward_server.view") / "static"


def create_app(index: Index, settings: Settings) -> ASGIApp:
    """The app over an index. `settings`: what a reward needs to be derived again."""
    opened: list[Deriver] = []

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with deriver(settings) as made:
            opened.append(made)
            yield

    pages = Pages(index, lambda: opened[0])

    async def missing(_request: Request, error: Exception) -> Response:
        return pages.not_found(str(error) if isinstance(error, Missing | CommandError) else "there is no such page")

    async def failed(_request: Request, _error: Exception) -> Response:
        return pages.failed()

    app = Starlette(
        routes=[
            Route("/", pages.endpoint(pages.index)),
            Route("/run/{run:path}", pages.endpoint(pages.run)),
            Route("/samples", pages.endpoint(pages.samples)),
            Route("/sample/{id:path}/row.json", pages.endpoint(pages.row_json)),
            Route("/sample/{id:path}/completion.txt", pages.endpoint(pages.completion)),
            Route("/sample/{id:path}", pages.sample),
            Route("/group/{group:path}", pages.endpoint(pages.group)),
            Route("/compare", pages.endpoint(pages.compare)),
            Route("/calibration", pages.endpoint(pages.calibration)),
            Route("/label", pages.label, methods=["POST"]),
            Mount("/static", StaticFiles(directory=str(STATIC))),
            Route("/favicon.ico", _favicon),
        ],
        exception_handlers={Missing: missing, CommandError: missing, 404: missing, 500: failed},
        lifespan=lifespan,
    )
    return Guard(app)


class CannotListen(CommandError, OSError):
    """The address is taken, or is none of this machine."""


def listener(host: str, port: int) -> socket.socket:
    """A socket that listens there, before the record is read. Raises CannotListen."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        reason = (error.strerror or str(error)).partition(" (while")[0]  # which repeats the address
        raise CannotListen(f"cannot listen on {host} port {port}: {reason}; name another with --port") from None


def url_of(listening: socket.socket) -> str:
    """Where a browser finds it."""
    host, port, *_ = listening.getsockname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(index: Index, settings: Settings, listening: socket.socket) -> None:
    """Serves until SIGTERM or Ctrl-C."""
    config = uvicorn.Config(create_app(index, settings), log_level="warning", access_log=False, lifespan="on")
    uvicorn.Server(config).run(sockets=[listening])


async def _favicon(_request: Request) -> Response:
    return Response((Path(str(STATIC)) / "favicon.svg").read_bytes(), media_type="image/svg+xml")
