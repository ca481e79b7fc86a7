"""A log line comes out whole, in order with what else is written to stderr, and with no field lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from reward_server.logs import json_line

PROGRAM = """
import logging, sys
from reward_server import logs
from reward_server.settings import Settings
logs.configure(Settings(log_format=sys.argv[1]))
log = logging.getLogger("reward_server.requests")
print("before", file=sys.stderr)
log.info("first", extra={logs.FIELDS: {"status": 200, "text": "\\ud800 caf\\xe9"}})
print("between", file=sys.stderr)
logs.write(log, logging.INFO, "first", {"status": 200, "text": "\\ud800 caf\\xe9"})
log.error("long", extra={logs.FIELDS: {"text": "x" * 200_000}})
"""


def lines(log_format: str, unbuffered: str = "") -> list[str]:
    command = [sys.executable, "-c", PROGRAM, log_format]
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return done.stderr.splitlines()


@pytest.mark.parametrize("unbuffered", ["", "1"])  # 1: as in a container
def test_a_line_written_for_speed_is_the_line_that_logging_writes(unbuffered: str) -> None:
    before, usual, between, fast, long = lines("json", unbuffered)
    assert (before, between) == ("before", "between")
    usual_line, fast_line = json.loads(usual), json.loads(fast)
    assert list(usual_line) == list(fast_line) == ["time", "level", "logger", "event", "status", "text"]
    assert usual_line.pop("time") <= fast_line.pop("time")
    assert usual_line == fast_line
    assert json.loads(long)["text"] == "x" * 200_000


def test_what_uvicorn_says_is_not_called_an_error() -> None:
    line = json_line(0, "info", "uvicorn.error", "Started server process", {})
    assert json.loads(line)["logger"] == "uvicorn"


def test_the_same_for_people() -> None:
    before, usual, between, fast, long = lines("console")
    assert (before, between) == ("before", "between")
    assert usual[8:] == fast[8:] == " info first status=200 text=\\ud800 café"
    assert long.endswith("x" * 200_000)


LONG = """
import logging, os, sys
from reward_server import logs
from reward_server.settings import Settings
os.set_blocking(2, False)
logs.configure(Settings(log_format="json"))
for number in range(3):
    logs.write(logging.getLogger("x"), logging.INFO, "long", {"number": number, "text": "x" * 200_000})
"""


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_is_slow_loses_no_part_of_a_line(unbuffered: str) -> None:
    """Of a pipe that does not block, as some supervisors hand it over, the system takes 64 KiB, and then nothing."""
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with subprocess.Popen([sys.executable, "-c", LONG], stderr=subprocess.PIPE, text=True, env=environment) as program:
        assert program.stderr is not None
        found = [json.loads(line) for line in program.stderr]
    assert [(line["number"], len(line["text"])) for line in found] == [(number, 200_000) for number in range(3)]
