"""HTTP in, HTTP out. Each reward has its own path, so that the OpenAPI page shows its parameters with their types.

An endpoint reads the body, finds the dialect, asks the Scorer, renders; it only raises, `middleware.py` answers.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from reward_server import __version__
from reward_server.dialects import Dialect, nemo_gym, recognise
from reward_server.dialects.json_body import JsonBody
from reward_server.dialects.reply import Echo, Reply
from reward_server.dialects.row import parse_explain
from reward_server.errors import NotFound
from reward_server.explaining.explanation import explanation
from reward_server.records.recorder import Paid
from reward_server.rewards.found import Derivation
from reward_server.rewards.plan import Plan
from reward_server.types import JoinedScore, Sample
from reward_server.web import openapi
from reward_server.web.body import Works
from reward_server.web.docs_page import docs_page
from reward_server.web.front_page import front_page
from reward_server.web.html_page import ICON
from reward_server.web.measured import measured
from reward_server.web.middleware import Endpoint, note, request_id_of
from reward_server.web.responses import NO_SUCH_PATH, JsonResponse, json_response
from reward_server.web.service import Service
from reward_server.web.summary import summary

log = logging.getLogger(__name__)


def add_routes(app: FastAPI, service: Service) -> dict[str, Endpoint]:
    """Adds every path, and returns the scoring ones with their endpoints; an unknown reward's path answers 404."""
    routes = Routes(service)
    for name in service.catalog.names:
        for prefix, endpoint, describe in (
            ("/score/{}", routes.score, openapi.score),
            ("/explain/{}", routes.explain, openapi.explain),
            ("/score/{}/verify", routes.verify, openapi.verify),
            ("/score/{}/seed_session", routes.seed_session, openapi.seed_session),
        ):
            app.post(prefix.format(name), **describe(service.catalog, name))(endpoint(name))
        _get(app, f"/score/{name}/reverify_mode", routes.reverify_mode, openapi.reverify_mode(name))
    if service.settings.verify_reward is not None:
        name = service.settings.verify_reward
        app.post("/verify", **openapi.verify(service.catalog, name, "verify"))(routes.verify(name))
        seed_session = openapi.seed_session(service.catalog, name, "seed_session")
        app.post("/seed_session", **seed_session)(routes.seed_session(name))
        _get(app, "/reverify_mode", routes.reverify_mode, openapi.reverify_mode(name, "reverify_mode"))
    else:
        app.post("/verify", include_in_schema=False)(_no_root_verify)
        app.post("/seed_session", include_in_schema=False)(_no_root_verify)
        _get(app, "/reverify_mode", _no_root_verify)
    for path in ("/score/{name}", "/explain/{name}", "/score/{name}/verify", "/score/{name}/seed_session"):
        app.post(path, include_in_schema=False)(routes.unknown)
    _get(app, "/score/{name}/reverify_mode", routes.unknown)
    for path, plain in (
        ("/rewards", routes.rewards),
        ("/rewards/{name}/noise", routes.noise),
        ("/health", routes.health),
        ("/ready", routes.ready),
        ("/metrics", routes.metrics),
    ):
        _get(app, path, plain, openapi.PLAIN[path])
    for path, page in (
        ("/", routes.front),
        ("/docs", routes.docs),
        ("/openapi.json", routes.openapi),
        ("/favicon.ico", routes.icon),
    ):
        _get(app, path, page)
    return {f"/score/{name}": routes.score(name) for name in service.catalog.names}


def _get(app: FastAPI, path: str, endpoint: Callable[..., Any], described: openapi.Route | None = None) -> None:
    """GET and HEAD, which monitors and load balancers send; uvicorn leaves the body out. None: not in OpenAPI."""
    app.get(path, **(described or {"include_in_schema": False}))(endpoint)
    app.head(path, include_in_schema=False)(endpoint)


class Routes:
    """The endpoints of one service; those of a reward are made for its name."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._settings = service.settings
        self._run = service.scorer.steps.run
        self._recorder = service.recorder
        self._works = Works(service.settings, service.scorer.admission)

    def score(self, name: str, tell: Callable[[JsonBody], Dialect] = recognise) -> Endpoint:
        """Scores a body in the dialect that `tell` finds for it."""

        async def score(request: Request) -> Response:
            plan = self._plan(request, name)
            self._service.scorer.check_room(plan)
            with self._works.begin(request) as work:
                raw = await work.body()
                size = len(raw)
                dialect, samples, echo = await self._run("parse", None, size, self._parsed, raw, tell)
                del raw  # it need not be kept while it is scored
                derivations, reply = await self._reply(request, plan, samples, dialect.NAME, size)
                content = await self._run("render", None, size, dialect.render, reply, echo)
                if self._recorder is not None:
                    query, request_id = _query(request), request_id_of(request.scope)
                    paid = Paid(plan, samples, derivations, dialect.NAME, query, request_id, time.time(), size)
                    self._recorder.take(paid)
                return self._answer(content, reply)

        return score

    def verify(self, name: str) -> Endpoint:
        """The same for the NeMo-Gym family, whose paths say who asks."""
        return self.score(name, lambda _body: nemo_gym)

    def seed_session(self, name: str) -> Endpoint:
        async def seed_session(request: Request) -> Response:
            """Nothing to seed: a reward depends on its sample alone. The row must be a JSON object."""
            with self._works.begin(request) as work:
                raw = await work.body()
                await self._run("parse", None, len(raw), JsonBody, raw)
                return json_response({})

        return seed_session

    async def reverify_mode(self) -> Response:
        """NeMo-Gym asks whether a finished rollout may be verified again: a reward depends on its sample alone."""
        return json_response(nemo_gym.REVERIFY_MODE)

    def explain(self, name: str) -> Endpoint:
        async def explain(request: Request) -> Response:
            with self._works.begin(request) as work:
                raw = await work.body()
                given = request.scope["query_string"].decode("utf-8", "replace")
                kind = request.headers.get("content-type", "")
                asked = await self._run("parse", None, len(raw), parse_explain, raw, kind, given)
                plan = self._service.catalog.resolve(name, asked.query)
                milliseconds: dict[str, float] = {}
                (derivation,) = await self._service.scorer.derive(plan, [asked.sample], milliseconds)
                note(request.scope, reward=name, outcome=derivation.score.outcome)
                headers = {"X-Reward-Config": plan.config}

                def render() -> Response:
                    content = explanation(plan, asked.sample, derivation, milliseconds, asked.warnings)
                    return json_response(content, headers=headers, indent=2)

                return await self._run("render", None, len(raw), render)

        return explain

    async def unknown(self, request: Request) -> Response:
        self._service.catalog.check_name(request.path_params["name"])
        raise NotFound(NO_SUCH_PATH)

    async def rewards(self) -> Response:
        """Names, meanings, parameters as JSON schema with their defaults."""
        return json_response({"rewards": openapi.rewards(self._service.catalog), "version": __version__})

    async def noise(self, request: Request) -> Response:
        """How often the reward was wrong since the server's start, as a second opinion (`reference`) has it."""
        name, query = request.path_params["name"], request.scope["query_string"].decode("latin-1")
        tables, catalog = self._service.metrics.measured, self._service.catalog
        asked = self._service.scorer.checks.opinions
        content = await asyncio.to_thread(measured, catalog, tables, name, query, asked)
        return json_response(content, indent=2)

    async def health(self) -> Response:
        """The process is alive."""
        return json_response({"status": "alive", "version": __version__})

    async def ready(self) -> Response:
        """The server takes work; 503 with the reason while it does not."""
        self._service.check_ready()
        return json_response({"status": "ready", "version": __version__})

    async def front(self, request: Request) -> Response:
        """What this is and what to do first; HTML for a browser."""
        return front_page(request, self._service)

    async def docs(self, request: Request) -> Response:
        """The OpenAPI document as a page."""
        return docs_page(request.app.openapi())

    async def openapi(self, request: Request) -> Response:
        """The OpenAPI document."""
        return json_response(request.app.openapi())

    async def icon(self) -> Response:
        """What browsers look for on every page, JSON too."""
        return Response(ICON, media_type="image/svg+xml", headers={"Cache-Control": "max-age=86400"})

    async def metrics(self) -> Response:
        """Prometheus' text format. Of many configs it is written for 50 ms, in a thread of its own."""
        page = await asyncio.to_thread(self._service.metrics.exposition)
        return Response(page, media_type=CONTENT_TYPE_LATEST)

    def _parsed(self, raw: bytes, tell: Callable[[JsonBody], Dialect]) -> tuple[Dialect, list[Sample], Echo]:
        body = JsonBody.of_any(raw, self._settings.max_samples)
        dialect = tell(body)
        return dialect, *dialect.parse(body)

    def _plan(self, request: Request, name: str) -> Plan:
        return self._service.catalog.resolve(name, _query(request))

    async def _reply(
        self, request: Request, plan: Plan, samples: list[Sample], dialect: str, size: int
    ) -> tuple[list[Derivation], Reply]:
        note(request.scope, reward=plan.name, dialect=dialect, samples=len(samples), config=plan.config)
        derivations = await self._service.scorer.derive(plan, samples)
        reply = Reply(plan, [derivation.score for derivation in derivations])
        note(request.scope, **await self._run(None, None, size, summary, samples, reply.scores))
        reply.check()
        return derivations, reply

    def _answer(self, content: bytes, reply: Reply) -> Response:
        headers = {"X-Reward-Config": reply.plan.config}
        if unscored := reply.unscored:
            headers["X-Reward-Unscored"] = str(unscored)
            reasons = [score.reason for score in reply.scores if isinstance(score, JoinedScore) and score.reason]
            name = reply.plan.name + "".join(f"; {reason}" for reason in reasons[:1])
            log.warning("%d of %d samples have no reward (%s)", unscored, len(reply.scores), name)
        return JsonResponse(content, headers=headers)


def _query(request: Request) -> str:
    query: bytes = request.scope["query_string"]
    return query.decode("latin-1")


async def _no_root_verify() -> Response:
    raise NotFound("no reward serves this path: set verify_reward (REWARD_VERIFY_REWARD), or use /score/{name}/verify")
