"""Programs of tests/trainers, run by the Python environment that has their trainer."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from running_server import HANG_S

ROOT = Path(__file__).parents[1]
PROGRAMS = ROOT / "tests" / "trainers"
ENVIRONMENTS = {
    "TRAINERS_PYTHON": ".venv-trainers",
    "VERIFIERS_PYTHON": ".venv-verifiers",
    "NEMO_GYM_PYTHON": ".venv-nemo-gym",
    "TRL_0_24_PYTHON": ".venv-trl-0.24",
    "TRL_1_9_PYTHON": ".venv-trl-1.9",
    "TRL_1_15_PYTHON": ".venv-trl-1.15",
    "RECIPES_PYTHON": ".venv-recipes",
}
"""The variable that names an environment's Python, and the folder where it is looked for otherwise."""


def python_of(variable: str) -> str:
    python = os.environ.get(variable) or str(ROOT / ENVIRONMENTS[variable] / "bin" / "python")
    if not Path(python).exists():
        pytest.skip(f"no {ENVIRONMENTS[variable]}: `make trainers` makes it, or {variable} names another Python")
    return python


@contextmanager
def running(variable: str, program: str, *arguments: str, url: str) -> Iterator[subprocess.Popen[str]]:
    """The program with REWARD_URL set; killed at the end."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "REWARD_URL": url, "TOKENIZERS_PARALLELISM": "false"}
    command = [python_of(variable), str(PROGRAMS / program), *arguments]
    with subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=PROGRAMS,
    ) as it:
        try:
            yield it
        finally:
            it.kill()


def printed(variable: str, program: str, *arguments: str, url: str, given: str | None = None) -> list[Any]:
    """The JSON lines that the program prints; it reads `given`."""
    with running(variable, program, *arguments, url=url) as it:
        output, errors = it.communicate(given, timeout=HANG_S)
    assert it.returncode == 0, errors[-4000:]
    return [json.loads(line) for line in output.splitlines() if line.startswith(('{"', "[{"))]
