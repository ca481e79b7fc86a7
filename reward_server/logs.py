"""Log lines: JSON, or plain text for a terminal; one line a request at info, and never a prompt at that level."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import TextIO

import msgspec

from reward_server.settings import Settings

_ENCODER = json.JSONEncoder(default=str)
FIELDS = "fields"
"""The key under `extra` that holds a line's own fields."""
NAMES = {"uvicorn.error": "uvicorn"}
"""uvicorn calls so the logger of everything but requests, also of what is no error."""
_BLANK = logging.makeLogRecord({}).__dict__


class JsonLines(logging.Formatter):
    """One JSON object a line: time (UTC, ISO 8601), level, logger, event, and the line's fields."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": _utc(record.created),
            "level": record.levelname.lower(),
            "logger": NAMES.get(record.name, record.name),
            "event": record.getMessage(),
            **getattr(record, FIELDS, {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        try:
            return msgspec.json.encode(line, enc_hook=str).decode()
        except UnicodeEncodeError:  # a lone surrogate, which only the slower encoder writes
            return _ENCODER.encode(line)


class ConsoleLines(logging.Formatter):
    """`12:30:01 info request status=200 …`, for people."""

    def format(self, record: logging.LogRecord) -> str:
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        fields = "".join(f" {key}={value}" for key, value in getattr(record, FIELDS, {}).items())
        line = f"{clock} {record.levelname.lower()} {record.getMessage()}{fields}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class Lines(logging.StreamHandler[TextIO]):
    """Writes a line by one call to the system, past the two buffers of a text file."""

    def __init__(self) -> None:
        super().__init__()
        self._raw = getattr(getattr(self.stream, "buffer", None), "raw", None)

    def emit(self, record: logging.LogRecord) -> None:
        """A line, whole: what the system did not take at once goes through the buffers."""
        if self._raw is None:  # another object stands in place of stderr
            super().emit(record)
            return
        try:
            line = f"{self.format(record)}\n".encode("utf-8", "backslashreplace")
            if (written := self._raw.write(line) or 0) < len(line):
                self.stream.buffer.write(line[written:])
                self.stream.flush()
        except Exception:  # noqa: BLE001 - as StreamHandler has it: a log that cannot be written fails no request
            self.handleError(record)


def write(log: logging.Logger, level: int, event: str, fields: Mapping[str, object]) -> None:
    """`log.log(level, event, extra={FIELDS: fields})` of an enabled level: without what no line shows, for speed."""
    record = logging.LogRecord.__new__(logging.LogRecord)
    record.__dict__ = {
        **_BLANK,
        "name": log.name,
        "levelno": level,
        "levelname": logging.getLevelName(level),
        "msg": event,
        "created": time.time(),
        FIELDS: fields,
    }
    log.handle(record)


def configure(settings: Settings) -> None:
    """Sends every logger of the process to stderr, in the shape that the settings ask for."""
    is_json = settings.log_format == "json" or (settings.log_format == "auto" and not sys.stderr.isatty())
    handler = Lines()
    handler.setFormatter(JsonLines() if is_json else ConsoleLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    # What no line of ours shows need not be gathered for each (the standard library's own advice for speed).
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # documented there as the switch for the caller's line


def _utc(seconds: float) -> str:
    return f"{_whole_second(int(seconds))}.{int(seconds * 1000) % 1000:03d}Z"


@lru_cache(maxsize=1)
def _whole_second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
