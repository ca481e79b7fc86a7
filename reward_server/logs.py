"""Log lines: JSON, or plain text for a terminal; one line a request at info, and never a prompt at that level."""

from __future__ import annotations

import json
import logging
import select
import sys
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from threading import RLock
from typing import TextIO

import msgspec

from reward_server.kit.clock import utc
from reward_server.settings import Settings

_ENCODER = json.JSONEncoder(default=str)
_TRACES = logging.Formatter()
FIELDS, EXCEPTION = "fields", "exception"
"""The key under `extra` that holds a line's own fields, and that of a traceback among them."""
NAMES = {"uvicorn.error": "uvicorn"}
"""uvicorn calls so the logger of everything but requests, also of what is no error."""
Shape = Callable[[float, str, str, str, Mapping[str, object]], bytes]
"""Unix time, level, logger, event and fields to a line without its end."""


def json_line(seconds: float, level: str, logger: str, event: str, fields: Mapping[str, object]) -> bytes:
    """One JSON object: time (UTC, ISO 8601), level, logger, event, and the line's fields."""
    line = {"time": utc(seconds), "level": level, "logger": NAMES.get(logger, logger), "event": event, **fields}
    try:
        return msgspec.json.encode(line, enc_hook=str)
    except UnicodeEncodeError:  # a lone surrogate, which only the slower encoder writes
        return _ENCODER.encode(line).encode()


def console_line(seconds: float, level: str, logger: str, event: str, fields: Mapping[str, object]) -> bytes:
    """`12:30:01 info request status=200 …`, for people. A traceback stands below it."""
    clock = time.strftime("%H:%M:%S", time.localtime(seconds))
    said = "".join(f" {key}={value}" for key, value in fields.items() if key != EXCEPTION)
    below = f"\n{fields[EXCEPTION]}" if EXCEPTION in fields else ""
    return f"{clock} {level} {event}{said}{below}".encode("utf-8", "backslashreplace")


class Lines(logging.StreamHandler[TextIO]):
    """Writes a line to stderr by one call to the system, past the buffers of a text file."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self._shape = shape
        self._turn = RLock()  # a finaliser may log while a line is being written
        buffer = getattr(self.stream, "buffer", None)
        self._raw = getattr(buffer, "raw", buffer)  # under PYTHONUNBUFFERED the buffer is the file itself

    def emit(self, record: logging.LogRecord) -> None:
        """What came by way of a logger."""
        try:
            fields = getattr(record, FIELDS, {})
            if record.exc_info:
                fields = {**fields, EXCEPTION: _TRACES.formatException(record.exc_info)}
            self.put(record.created, record.levelname.lower(), record.name, record.getMessage(), fields)
        except Exception:  # noqa: BLE001 - as StreamHandler has it: a log that cannot be written fails no request
            self.handleError(record)

    def put(self, seconds: float, level: str, logger: str, event: str, fields: Mapping[str, object]) -> None:
        """A line, whole. `seconds`: of the Unix clock."""
        line = self._shape(seconds, level, logger, event, fields) + b"\n"
        with self._turn:
            if self._raw is None:  # another object stands in place of stderr
                self.stream.write(line.decode())
                self.flush()
                return
            while len(line) > (written := self._raw.write(line) or 0):
                line = line[written:]
                select.select((), (self._raw,), ())  # the system took a part, or none if stderr is not to block


def write(log: logging.Logger, level: int, event: str, fields: Mapping[str, object]) -> None:
    """`log.log(level, event, extra={FIELDS: fields})` of an enabled level: by the shortest way, for speed."""
    handlers = logging.root.handlers
    if len(handlers) == 1 and isinstance(lines := handlers[0], Lines) and not log.handlers:
        try:
            lines.put(time.time(), _level_name(level), log.name, event, fields)
        except Exception:  # noqa: BLE001 - as in `emit`: a log that cannot be written fails no request
            lines.handleError(logging.makeLogRecord({"name": log.name, "msg": event}))
    else:
        log.log(level, event, extra={FIELDS: fields})


def configure(settings: Settings) -> None:
    """Sends every logger of the process to stderr, in the shape that the settings ask for."""
    is_json = settings.log_format == "json" or (settings.log_format == "auto" and not sys.stderr.isatty())
    root = logging.getLogger()
    root.handlers[:] = [Lines(json_line if is_json else console_line)]
    root.setLevel(settings.log_level.upper())
    # What no line of ours shows need not be gathered for each (the standard library's own advice for speed).
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # documented there as the switch for the caller's line


@lru_cache
def _level_name(level: int) -> str:
    return logging.getLevelName(level).lower()
