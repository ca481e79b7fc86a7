"""Servers for the client's tests, as (URL, process)."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from running_server import running_server

ClientServer = tuple[str, "subprocess.Popen[str]"]


@contextmanager
def client_server(
    log: Path, *, port: int = 0, key: str | None = None, config: Path | None = None
) -> Iterator[ClientServer]:
    """A server on that port; with a key, one that asks for it; with a `rewards.toml`, one that has its variants."""
    environment = {"REWARD_API_KEYS": key} if key else {}
    options = () if config is None else ("--config", str(config))
    with running_server(log, "--port", str(port), *options, environment=environment) as running:
        yield running.url, running.process


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with client_server(tmp_path_factory.mktemp("server") / "log") as (url, _):
        yield url


@pytest.fixture(scope="session")
def keyed_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with client_server(tmp_path_factory.mktemp("keyed") / "log", key="sesame") as (url, _):
        yield url


@pytest.fixture
def start_server(tmp_path: Path) -> Callable[..., AbstractContextManager[ClientServer]]:
    return lambda **options: client_server(tmp_path / "log", **options)


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REWARD_URL", raising=False)
    monkeypatch.delenv("REWARD_API_KEY", raising=False)
