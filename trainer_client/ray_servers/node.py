"""The Ray actor of one node. It starts the keeper of the node's server, and tells how that server is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from trainer_client.ray_servers import keeper, ports
from trainer_client.ray_servers.identity import KNOWN_EARLY, Identity, asked, differences

FREED_S = 30.0
"""A server of a job that was killed is gone by then, and leaves its port."""
RAYLET_S = 1.0
"""How often its death is looked for."""
MOST_WORKERS = 8
"""Of the verifier, unless the options say more. The server's own default is one a core: on a trainer's node, with its
hundreds, they would take memory that the trainer needs."""


def _end_with(raylet: int) -> None:
    """A Ray worker is the raylet's child, and outlives a raylet that is killed (seen with Ray 2.60)."""
    while os.getppid() == raylet:
        time.sleep(RAYLET_S)
    os._exit(1)


@dataclass(frozen=True)
class Order:
    """What every node runs. `environment`: the REWARD_* variables of the driver, which replace the node's. `gpus` are
    for each server; with 0 it sees none."""

    port: int
    python: str | None
    folder: str
    options: tuple[str, ...]
    environment: dict[str, str] = field(repr=False)
    gpus: float = 0

    @property
    def key(self) -> str | None:
        keys = [key.strip() for key in self.environment.get("REWARD_API_KEYS", "").split(",")]
        return next(filter(None, keys), None)


@dataclass(frozen=True)
class Report:
    """How a node's server is. `reason`: why it is not ready. `notes`: what happened since the last report."""

    state: Literal["starting", "ready", "refused"]
    reason: str = ""
    url: str = ""
    identity: Identity = field(default_factory=dict)
    pid: int = 0
    notes: tuple[str, ...] = ()


class ServerNode:
    """`agreed`: what the other nodes' servers are, if they have agreed; another one is ended before it listens, or as
    soon as it is known."""

    def __init__(self, order: Order, log: str, agreed: Identity | None) -> None:
        self._order, self._log, self._agreed = order, Path(log), agreed
        self._waits_until = time.monotonic() + FREED_S
        self._keeper: subprocess.Popen[bytes] | None = None
        self._report = Report("starting", "it has just begun")
        self._found: Identity = {}
        self._said = b""
        threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()

    def look(self) -> Report:
        """Does what is to be done, and reports. Waits for nothing but answers of the server."""
        notes: list[str] = []
        if self._report.state != "refused":
            try:
                self._keeper = self._keeper or self._started()
                notes += [note for event in self._events() if (note := self._heard(event))]
                self._ask()
            except (keeper.Refused, OSError, ValueError) as error:
                self._refuse(str(error))
        return replace(self._report, notes=tuple(notes))

    def stop(self) -> None:
        """Returns when no process is left."""
        if self._keeper is not None:
            self._keeper.stdin.close()  # type: ignore[union-attr]  # it is a pipe, as is the other
            self._keeper.wait()
            self._keeper.stdout.close()  # type: ignore[union-attr]
            self._keeper = None

    def _started(self) -> subprocess.Popen[bytes] | None:
        """None while another server still has the port. Raises Refused."""
        port = self._order.port
        if port and not ports.is_free(port):
            who = ports.listener(port)
            is_other = who.startswith("pid ") and "reward_server" not in who  # one that is just ending cannot be seen
            if is_other or time.monotonic() > self._waits_until:
                raise keeper.Refused(f"port {port} is in use by {who}")
            self._report = Report("starting", f"port {port} is still in use by {who}")
            return None
        self._log.parent.mkdir(parents=True, exist_ok=True)
        python = self._order.python or sys.executable
        command = [sys.executable, "-I", keeper.__file__, python, str(port), str(self._log), *self._order.options]
        started = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=self._order.folder if Path(self._order.folder).is_dir() else None,
            env=self._environment(),
            start_new_session=True,  # no signal that is meant for Ray's worker
        )
        if started.stdout is not None:
            os.set_blocking(started.stdout.fileno(), False)
        self._report = Report("starting", "its server starts")
        return started

    def _environment(self) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith("REWARD_")}  # noqa: TID251 - handed on
        if not self._order.gpus:
            own["CUDA_VISIBLE_DEVICES"] = ""  # Ray 2.60 hides them no longer, and they are the trainer's
        workers = str(min(MOST_WORKERS, (os.cpu_count() or 1) + 1))
        return {**own, "REWARD_VERIFIER_WORKERS": workers, **self._order.environment}

    def _events(self) -> Iterator[dict[str, Any]]:
        """What the keeper said. When it is gone, however that came, it is forgotten, and the next look starts another:
        its server went with it."""
        process = self._keeper
        if process is None or process.stdout is None:
            return
        is_gone = process.poll() is not None
        self._said += process.stdout.read() or b""
        *lines, self._said = self._said.split(b"\n")
        yield from map(json.loads, lines)
        if is_gone and self._report.state != "refused":
            self.stop()
            self._waits_until = time.monotonic() + FREED_S
            yield {"event": "ended", "reason": f"the keeper of the server was killed ({process.returncode})"}

    def _heard(self, event: dict[str, Any]) -> str:
        """Takes an event in; returns what people should know of it."""
        kind = event.pop("event")
        if kind == "found":
            self._found = event
            self._compare(self._agreed or event, event, KNOWN_EARLY)
            self._report = replace(self._report, identity=event)
        elif kind == "listening":
            self._report = Report("starting", "it listens, and is not ready", event["url"], self._found, event["pid"])
        elif kind == "refused":
            self._refuse(event["reason"] + self._taken())
        else:
            self._report = Report("starting", event["reason"] + self._taken())
            return f"{event['reason']}{self._taken()}; it is started again"
        return ""

    def _taken(self) -> str:
        """Whether somebody else has got its port meanwhile."""
        port = self._order.port
        return f"; port {port} is in use by {ports.listener(port)}" if port and not ports.is_free(port) else ""

    def _ask(self) -> None:
        """Ready is what says that it is ready, and is what it was before and what the others are."""
        if self._report.state == "starting" and self._report.url:
            answer = asked(self._report.url, self._order.key)
            if answer is not None:
                identity = {**self._found, **answer}
                self._compare(self._agreed or identity, identity)
                self._agreed = identity
                self._report = replace(self._report, state="ready", reason="", identity=identity)

    def _compare(self, wanted: Identity, found: Identity, names: Collection[str] = ()) -> None:
        if differ := differences({"the other servers": wanted, "this node": found}, names):
            raise keeper.Refused("it might pay other rewards: " + "; ".join(differ))

    def _refuse(self, reason: str) -> None:
        self._report = Report("refused", reason)
        with suppress(OSError):
            self.stop()
