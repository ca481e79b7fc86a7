"""The only file that wires: settings in, app out. Two apps in one process share nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from reward_server import __version__
from reward_server.catalog.catalog import Catalog
from reward_server.catalog.tables import Tables
from reward_server.counting.metrics import Metrics
from reward_server.errors import RewardServerError
from reward_server.records.recorder import Recorder, RecordEvents, Recording
from reward_server.scoring import Scorer
from reward_server.settings import Settings
from reward_server.web import openapi
from reward_server.web.middleware import RequestLayer, answer_error
from reward_server.web.routes import add_routes
from reward_server.web.service import Service


def create_app(settings: Settings, count_requests: Callable[[], int] = lambda: 0) -> tuple[ASGIApp, Service]:
    """The app and its parts; its workers start with its lifespan, and the reward model begins to load.

    `count_requests`: how many requests have come and are not answered, by whoever owns the connections. Raises
    BadCatalog when `rewards.toml` is wrong, BadRecordDir when nothing can be written there.
    """
    metrics = Metrics()
    tables = Tables.read(settings)
    scorer = Scorer(settings, metrics, count_requests, tables.checks)
    catalog = Catalog(settings, scorer.model_slot.config, tables)
    metrics.begin(catalog.names, tables.checks)
    service = Service(settings, metrics, catalog, scorer, _recorder(settings, metrics, catalog))
    metrics.export({"reward_ready": lambda: float(service.is_ready)})

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with service.scorer.running():
            if service.recorder is None:
                yield
                return
            service.recorder.start()
            try:
                yield
            finally:
                await asyncio.to_thread(service.recorder.close)  # so that a second signal is heard meanwhile

    app = FastAPI(
        title="reward-server",
        version=__version__,
        summary="Rewards for reinforcement learning of language models.",
        lifespan=lifespan,
        docs_url=None,  # FastAPI's pages take their scripts from other hosts; ours are in `routes.py`
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,  # the redirect would lead to whatever the Host header names
    )
    app.openapi = partial(openapi.document, app, bool(settings.api_keys))  # type: ignore[method-assign]
    direct = add_routes(app, service)
    for kind in (RewardServerError, HTTPException, Exception):
        app.add_exception_handler(kind, answer_error)
    keys = [key.get_secret_value().encode() for key in settings.api_keys]
    return RequestLayer(app, direct=direct, keys=keys, metrics=metrics), service


def _recorder(settings: Settings, metrics: Metrics, catalog: Catalog) -> Recorder | None:
    if settings.record_dir is None:
        return None
    recording = Recording(
        folder=settings.record_dir,
        share=settings.record_share,
        max_bytes=int(settings.record_max_gb * 2**30),
        has_text=settings.record_text,
        variant=catalog.variant,
    )
    events = RecordEvents(metrics.record_lines.inc, metrics.record_dropped.inc, metrics.record_bytes.inc)
    return Recorder(recording, events)
