"""The driver's side: one actor a node, watched for as long as the job lives."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer_client._errors import RewardClientError
from trainer_client.ray_servers.identity import KNOWN_EARLY, Identity, differences
from trainer_client.ray_servers.node import Order, Report, ServerNode

log = logging.getLogger("trainer_client")
LOOK_S = 1.0
READY_S = 600.0
"""Until every node's server is ready. A reward model may take minutes."""
SAY_S = 30.0
"""So often it is said what is waited for."""
STOP_S = 15.0
"""Over the keeper's grace. Who takes longer is killed."""
TRIES = 3
"""An actor that died so often before it reported cannot be started on its node."""


class NoServers(RewardClientError):
    """The server of some node did not start, or would pay other rewards than the others; which, and why."""


@dataclass
class Member:
    """A node with its actor. `look` is the report that is on its way, `report` the last that came; `deaths` of actors
    that never reported."""

    node: str
    name: str
    log: str
    actor: Any
    look: Any = None
    report: Report | None = None
    deaths: int = 0

    @property
    def is_refused(self) -> bool:
        return self.report is not None and self.report.state == "refused"

    @property
    def is_ready(self) -> bool:
        return self.report is not None and self.report.state == "ready"

    @property
    def problem(self) -> str:
        reason = self.report.reason if self.report else "its actor is not started yet (with --gpus: is a GPU free?)"
        return f"node {self.name}: {reason}"


class RayServers:
    """One server a node; `ray_servers` makes and ends it."""

    def __init__(self, order: Order, log_dir: Path | None) -> None:
        self._order, self._log_dir = order, log_dir
        self._members: dict[str, Member] = {}
        self._agreed: Identity | None = None
        self._is_closing = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="ray_servers", daemon=True)

    @property
    def url(self) -> str:
        """The same on every node: each asks its own server."""
        return f"http://127.0.0.1:{self._order.port}"

    @property
    def urls(self) -> dict[str, str]:
        """Of the servers that are ready, by Ray's id of their node. With port 0 each has a port of its own."""
        members = dict(self._members)
        return {node: each.report.url for node, each in members.items() if each.report and each.report.state == "ready"}

    def start(self) -> None:
        """Returns when every node has a server that is ready, and all are the same. Raises NoServers."""
        began, said = time.monotonic(), 0.0
        while not self._members or not all(member.is_ready for member in self._members.values()):
            self._tick()
            if refused := [member.problem for member in self._members.values() if member.is_refused]:
                raise NoServers("; ".join(refused))
            self._check_agreement(KNOWN_EARLY)
            late = [member.problem for member in self._members.values() if not member.is_ready]
            waited_s = time.monotonic() - began
            if late and waited_s > READY_S:
                raise NoServers(f"not ready after {READY_S:g} s: " + "; ".join(late))
            if late and waited_s > said + SAY_S:
                said = waited_s
                log.warning("not ready after %.0f s: %s", waited_s, "; ".join(late))
        self._agreed = self._check_agreement()
        self._thread.start()

    def _check_agreement(self, names: Collection[str] = ()) -> Identity | None:
        """What all servers are, as far as they are known. Raises NoServers where they differ in `names`, or at all."""
        known = {each.name: each.report.identity for each in self._members.values() if each.report}
        known = {node: identity for node, identity in known.items() if identity}
        if differ := differences(known, names):
            raise NoServers("the nodes would pay different rewards: " + "; ".join(differ))
        return next(iter(known.values()), None)

    def close(self) -> None:
        """Ends all servers; returns when they are gone."""
        import ray

        self._is_closing.set()
        if self._thread.is_alive():
            self._thread.join()
        if ray.is_initialized() and self._members:  # without the test Ray would start a cluster for the next line
            stops = [member.actor.stop.remote() for member in self._members.values()]
            ray.wait(stops, num_returns=len(stops), timeout=STOP_S)
            for member in self._members.values():
                ray.kill(member.actor)

    def _watch(self) -> None:
        import ray

        while not self._is_closing.is_set():
            if not ray.is_initialized():
                log.warning("Ray was shut down: the reward servers end")
                return
            try:
                self._tick()
            except Exception as error:  # noqa: BLE001 - the cluster may be there again in a second; nobody else watches
                log.warning("the cluster does not answer: %s", error)
                self._is_closing.wait(LOOK_S)

    def _tick(self) -> None:
        """Looks at every node once; takes about LOOK_S."""
        import ray

        ends = time.monotonic() + LOOK_S
        self._follow({node["NodeID"]: node for node in ray.nodes() if node["Alive"]})
        for member in self._members.values():
            if member.look is None and not member.is_refused:
                member.look = member.actor.look.remote()
        looks = [member.look for member in self._members.values() if member.look is not None]
        done = ray.wait(looks, num_returns=len(looks), timeout=LOOK_S)[0] if looks else []
        for member in self._members.values():
            if member.look in done:
                self._take(member)
        self._is_closing.wait(max(0.0, ends - time.monotonic()))

    def _follow(self, nodes: dict[str, dict[str, Any]]) -> None:
        """Nodes come and go."""
        for node in self._members.keys() - nodes.keys():
            log.warning("node %s is gone, and its server with it", self._members.pop(node).name)
        for node in nodes.keys() - self._members.keys():
            self._members[node] = self._member(nodes[node])

    def _member(self, node: dict[str, Any]) -> Member:
        short = node["NodeID"][:8]
        folder = self._log_dir or Path(node["RayletSocketName"]).parents[1] / "logs"  # of Ray's session
        file = str(folder / f"reward-server-{node['NodeManagerAddress']}-{short}.log")
        name = f"{node['NodeManagerAddress']} ({node['NodeManagerHostname']}, {short})"
        return Member(node["NodeID"], name, file, self._actor(node["NodeID"], file))

    def _actor(self, node: str, file: str) -> Any:
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        there = NodeAffinitySchedulingStrategy(node, soft=False)
        kind: Any = ray.remote(ServerNode)
        # no CPU, so that it takes no place from the trainer; no restarts by Ray, since `_take` makes a successor
        kind = kind.options(num_cpus=0, num_gpus=self._order.gpus, max_restarts=0, scheduling_strategy=there)
        return kind.remote(self._order, file, self._agreed)

    def _take(self, member: Member) -> None:
        """A report that came, or the news that its actor is gone: then another is made."""
        import ray

        was_ready, look, member.look = member.is_ready, member.look, None
        try:
            report: Report = ray.get(look)
        except ray.exceptions.ActorUnavailableError:
            return  # the network, perhaps: it is asked again, and its server goes on
        except (ray.exceptions.RayActorError, ray.exceptions.ActorUnschedulableError) as error:
            self._lost(member, str(error).strip())
            return
        except ray.exceptions.RayError as error:
            log.warning("node %s: %s", member.name, error)
            return
        member.report = report
        for note in report.notes:
            log.warning("node %s: %s", member.name, note)
        if member.is_refused:
            log.error("%s; its log: %s", member.problem, member.log)
        elif member.is_ready and not was_ready:
            log.info("node %s: ready at %s, log %s", member.name, report.url, member.log)

    def _lost(self, member: Member, reason: str) -> None:
        import ray

        log.warning("node %s: its actor is gone, and gets a successor: %s", member.name, reason[:500])
        with suppress(ValueError, ray.exceptions.RayError):
            ray.kill(member.actor)
        member.deaths = 0 if member.report else member.deaths + 1
        member.report = None
        if member.deaths < TRIES:
            member.actor = self._actor(member.node, member.log)
        else:
            member.report = Report("refused", f"its actor cannot be started (with --gpus: has it so many?): {reason}")
