"""Fixtures: one live server that most tests share, and a way to start others; the data that may be absent."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from running_server import RunningServer, running_server

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"
WITHOUT_DATA = "needs ../shared/data/"
Starter = Callable[..., AbstractContextManager[RunningServer]]

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a shell's background job, and programs would inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)

LONGEST = (
    "test_gpu_check",
    "test_openrlhf_agent",
    "test_reward_model_faults",
    "test_offline",
    "test_real_client",
    "test_signals",
    "test_trainers",
    "test_ray_servers",
    "test_recipes",
    "test_launcher_agent",
    "test_examples",
    "test_learning_over_http",
    "test_key_over_http",
    "test_body_reading",
    "test_failures",
)
"""Modules that take minutes. They begin first, so that none of them runs alone when all others are done."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sorts modules by what they take; the tests of a module keep their order."""
    rank = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path.stem, len(LONGEST)))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with default settings; a test must leave it as it found it.

    But a worker is killed later: beside other work a bomb may not get its two CPU seconds within eight.
    """
    options = ("--verifier-workers", "3", "--hard-timeout-s", "120")
    with running_server(tmp_path_factory.mktemp("server") / "log", *options) as running:
        yield running


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """For tests of what a server keeps of each config: it has places for so many, and other modules take them."""
    with running_server(tmp_path_factory.mktemp("own_server") / "log", "--verifier-workers", "1") as running:
        yield running


@pytest.fixture
def start_server(tmp_path: Path) -> Starter:
    """Starts a server of the test's own: `with start_server("--max-samples", "8") as server`."""
    return partial(running_server, tmp_path / "log")


@pytest.fixture(scope="session")
def shared_rows() -> Callable[[str], list[dict[str, Any]]]:
    """Rows of a file of the shared data; skips the test, with the reason, where that data is not at hand."""

    def rows(name: str) -> list[dict[str, Any]]:
        if not SHARED_DATA.is_dir():
            pytest.skip(f"{WITHOUT_DATA}{name}: labelled cases for this test, kept outside the repository")
        with (SHARED_DATA / name).open(encoding="utf-8") as file:
            return [json.loads(line) for line in file]

    return rows


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says how much was not tested for want of the shared data."""
    skipped = [report for report in terminalreporter.stats.get("skipped", []) if WITHOUT_DATA in str(report.longrepr)]
    if skipped:
        terminalreporter.write_line(f"{len(skipped)} tests skipped: ../shared/data is not there")
