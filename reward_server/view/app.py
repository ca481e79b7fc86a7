"""The page's server: a process of its own on the loopback, which reads a record and writes nothing but labels."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
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

    app = Starlette(
        routes=[
            Route("/", pages.endpoint(pages.index)),
            Route("/run/{run}", pages.endpoint(pages.run)),
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
        exception_handlers={Missing: missing, CommandError: missing, 404: missing},
        lifespan=lifespan,
    )
    return Guard(app)


def serve(index: Index, settings: Settings, host: str, port: int, tell: Callable[[str], None]) -> None:
    """Serves until SIGTERM or Ctrl-C; `tell` hears the URL once it can be opened."""
    config = uvicorn.Config(
        create_app(index, settings), host=host, port=port, log_level="warning", access_log=False, lifespan="on"
    )
    _Server(config, tell).run()


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, tell: Callable[[str], None]) -> None:
        super().__init__(config)
        self._tell = tell

    async def startup(self, sockets: object = None) -> None:
        await super().startup(None)
        for server in self.servers:
            host, port, *_ = server.sockets[0].getsockname()
            self._tell(f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}")


async def _favicon(_request: Request) -> Response:
    return Response((Path(str(STATIC)) / "favicon.svg").read_bytes(), media_type="image/svg+xml")
