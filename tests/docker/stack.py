"""Compose projects of the repository, started for the tests of `make docker-test` and taken down again."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from reward_server import __version__

ROOT = Path(__file__).parents[2]
IMAGE = f"reward-server:{__version__}"
PROMETHEUS = "reward-server-test-prometheus"
BUILD_OPTIONS = os.environ.get("DOCKER_BUILD_OPTIONS", "").split()
"""Such as `--network host`, where containers have no network of their own while they are built."""


def run(*command: str, **environment: str) -> str:
    """Standard output of a command; CalledProcessError with its output when it fails."""
    result = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, f"{' '.join(command)}: {result.stdout}{result.stderr}"
    return result.stdout


def build(tag: str, dockerfile: str, context: str = ".") -> None:
    """An image of the repository."""
    run("docker", "build", *BUILD_OPTIONS, "--tag", tag, "--file", dockerfile, context)


def compose_command() -> list[str]:
    """`docker compose`, or the older `docker-compose`."""
    plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    if plugin.returncode == 0:
        return ["docker", "compose"]
    standalone = shutil.which("docker-compose")
    assert standalone is not None, "neither `docker compose` nor docker-compose is installed"
    return [standalone]


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def until(condition: Callable[[], bool], what: str, seconds: float = 180) -> None:
    """Waits for something that must come true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"it did not happen in {seconds:g} s: {what}"
        time.sleep(0.2)  # polling, not guessing: the loop ends as soon as it is true


@dataclass
class Stack:
    """One compose project that is up."""

    command: list[str]
    environment: dict[str, str]
    url: str
    prometheus_url: str

    def compose(self, *arguments: str) -> str:
        return run(*self.command, *arguments, **self.environment)

    def containers(self, service: str) -> list[str]:
        """Ids of a service's containers, stopped ones too."""
        listed = run(
            "docker", "ps", "--all", "--quiet", "--no-trunc",
            "--filter", f"label=com.docker.compose.project={self.environment['COMPOSE_PROJECT_NAME']}",
            "--filter", f"label=com.docker.compose.service={service}",
        )  # fmt: skip
        return listed.split()

    def post(self, path: str, body: object) -> httpx.Response:
        return httpx.post(self.url + path, json=body, timeout=170)


def inspect(container: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run("docker", "inspect", container))[0]
    return found


def health(container: str) -> str:
    status: str = inspect(container)["State"]["Health"]["Status"]
    return status


def address(container: str) -> str:
    """The container's own URL, reachable from the host of a Linux engine."""
    (network,) = inspect(container)["NetworkSettings"]["Networks"].values()
    return f"http://{network['IPAddress']}:8000"


@contextmanager
def stack(
    name: str,
    *files: str,
    up: tuple[str, ...],
    options: tuple[str, ...] = (),
    server: str = "reward-server",
    variables: Mapping[str, str] | None = None,
) -> Iterator[Stack]:
    """`compose -f FILES OPTIONS up UP` on free ports, every `server` healthy; everything is removed at the end."""
    port, prometheus_port = free_port(), free_port()
    environment = {
        "COMPOSE_PROJECT_NAME": name,
        "PORT": str(port),
        "RM_PORT": str(port),
        "PROMETHEUS_PORT": str(prometheus_port),
        "PROXY_FILES": "20000",  # an engine in a sandbox may not allow more
        "REWARD_VERIFIER_WORKERS": "2",
        **(variables or {}),
    }
    command = [*compose_command(), *(part for file in files for part in ("-f", file)), *options]
    project = Stack(command, environment, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{prometheus_port}")
    try:
        project.compose("up", "--detach", "--no-build", *up)
        servers = project.containers(server)
        until(lambda: all(health(server) == "healthy" for server in servers), "every server is healthy")
        yield project
    finally:
        project.compose("down", "--volumes", "--timeout", "30")
