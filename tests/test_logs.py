"""A log line comes out whole, in order with what else is written to stderr, and with no field lost."""

from __future__ import annotations

import json
import logging
import subprocess
import sys

from reward_server.logs import JsonLines

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


def lines(log_format: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", PROGRAM, log_format], capture_output=True, text=True, check=True)
    return done.stderr.splitlines()


def test_a_line_written_for_speed_is_the_line_that_logging_writes() -> None:
    before, usual, between, fast, long = lines("json")
    assert (before, between) == ("before", "between")
    usual_line, fast_line = json.loads(usual), json.loads(fast)
    assert list(usual_line) == list(fast_line) == ["time", "level", "logger", "event", "status", "text"]
    assert usual_line.pop("time") <= fast_line.pop("time")
    assert usual_line == fast_line
    assert json.loads(long)["text"] == "x" * 200_000


def test_what_uvicorn_says_is_not_called_an_error() -> None:
    record = logging.LogRecord("uvicorn.error", logging.INFO, "", 0, "Started server process", None, None)
    assert json.loads(JsonLines().format(record))["logger"] == "uvicorn"


def test_the_same_for_people() -> None:
    before, usual, between, fast, long = lines("console")
    assert (before, between) == ("before", "between")
    assert usual[8:] == fast[8:] == " info first status=200 text=\\ud800 café"
    assert long.endswith("x" * 200_000)
