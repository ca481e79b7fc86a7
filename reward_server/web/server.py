"""uvicorn with our own way to stop: nothing that was admitted is lost, and nobody is kept waiting.

First SIGTERM or SIGINT: /ready fails, the listener stays open `drain_delay_s` so that load balancers see it, then it
closes, what was admitted is finished, and the process exits with 0. A second signal ends it at once, non-zero. (uvicorn
closes the listener first, and re-raises the signal at the end: exit 143.)
"""

from __future__ import annotations

import asyncio
import gc
import logging
import math
import os
import resource
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import uvicorn

from reward_server.reward_model.engine import UnfitModel
from reward_server.settings import Settings
from reward_server.system import check_system
from reward_server.web.app import create_app
from reward_server.web.connection import Connection
from reward_server.web.deadlines import Deadlines

log = logging.getLogger(__name__)
BACKLOG = 16_384
"""A whole OpenRLHF rollout connects at once; the kernel caps this at net.core.somaxconn."""
KEEP_ALIVE_S = 75
"""Longer than the pause between two training steps' requests usually is: a connection closed under a request that is
just being sent looks like a failure to the trainer."""

READ_S = 5
"""When draining, for callers to read their last answers: one that does not read would keep the process for ever."""


class DrainingServer(uvicorn.Server):
    """One server; `on_started(url)` is called when it listens."""

    def __init__(self, settings: Settings, on_started: Callable[[str], None]) -> None:
        app, self._service = create_app(settings, lambda: len(self.server_state.tasks))
        super().__init__(
            uvicorn.Config(
                app,
                host=settings.host,
                port=settings.port,
                http=partial(  # type: ignore[arg-type]  # uvicorn calls it as it would a class
                    Connection,
                    heads=Deadlines(settings.request_timeout_s, Connection.too_late),
                    idle=Deadlines(KEEP_ALIVE_S, Connection.too_late),
                    on_refused=self._service.metrics.count_refusal,
                ),
                ws="none",
                proxy_headers=False,  # the log names who connected, not who a header says
                loop="uvloop",
                lifespan="on",
                access_log=False,
                log_config=None,
                server_header=False,
                backlog=BACKLOG,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=math.ceil(settings.request_timeout_s) + READ_S,
            )
        )
        self._settings = settings
        self._on_started = on_started
        self._is_signalled = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        _freeze()
        if self._settings.rm_model is not None:
            self._model_task = asyncio.create_task(self._watch_model())
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        self._on_started(f"http://{f'[{host}]' if ':' in host else host}:{port}")

    async def try_checks(self) -> None:
        """Runs the examples of checks of one's own. Raises BadCheck where one does not come out."""
        await self._service.scorer.checks.try_out()

    @property
    def refusal(self) -> UnfitModel | None:
        """Why the reward model was refused, if it was; that ends the server."""
        return self._service.scorer.model_slot.refusal

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop, number)
        yield

    def _stop(self, number: signal.Signals) -> None:
        if self._is_signalled:
            os._exit(128 + number)
        self._is_signalled = True
        log.info("%s: draining", number.name)
        self._drain()

    def _drain(self) -> None:
        self._service.drain()
        asyncio.get_running_loop().call_later(self._settings.drain_delay_s, setattr, self, "should_exit", True)

    async def _watch_model(self) -> None:
        """A model that is refused ends the server; a model that is loaded brought many objects that stay."""
        try:
            await self._service.scorer.model_slot.filled()
        except UnfitModel:
            self._drain()
        else:
            _freeze()


def serve(settings: Settings, on_started: Callable[[str], None]) -> None:
    """Runs until a signal; returns when everything admitted is answered. SystemExit or OSError when it cannot start.

    Raises UnfitModel when the reward model was refused, which ends the server too, and as `check_system` does. Raises
    BadCheck, before anything is started, where an example of a check of one's own does not come out.
    """
    check_system()
    _raise_file_limit()
    if not settings.api_keys and not settings.is_loopback:
        log.warning("listening on %s without api_keys: everybody who reaches the port can use it", settings.host)
    server = DrainingServer(settings, on_started)
    asyncio.run(server.try_checks())
    server.run(_sockets(settings))
    if server.refusal is not None:
        raise server.refusal


def _sockets(settings: Settings) -> list[socket.socket] | None:
    """For `::` one that takes IPv4 too; asyncio's own would not. None: uvicorn binds."""
    if settings.host != "::" or not socket.has_dualstack_ipv6():
        return None
    address = (settings.host, settings.port)
    return [socket.create_server(address, family=socket.AF_INET6, backlog=BACKLOG, dualstack_ipv6=True)]


def _freeze() -> None:
    """What is there now stays: collections need not look through it again."""
    gc.collect()
    gc.freeze()


def _raise_file_limit() -> None:
    """As many open connections as the system allows without asking for more rights."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
