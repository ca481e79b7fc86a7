"""One question to the server with its retries, as a generator that does no network I/O.

It yields what is to be done next, `Send` or `Sleep`, is sent what came of it, and returns the answer's JSON. The sync
and the async client are two ways of driving it.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, TypeVar

from trainer_client._errors import BY_STATUS, RequestRefused, Unavailable
from trainer_client._json import decode
from trainer_client._retry import RETRYABLE, delay_s, retry_after_s

log = logging.getLogger("trainer_client")
QUIET_RETRIES = 2
"""So many failures in a row are an everyday matter; more may be why a run stands still."""


@dataclass(frozen=True)
class Send:
    """POST `body` as JSON, or GET where there is none; whatever takes over `timeout_s` is `Lost`.

    The time runs from when a connection is free: calls wait for their turn inside of this process.
    """

    url: str
    body: bytes | None
    api_key: str | None = field(repr=False)
    timeout_s: float


@dataclass(frozen=True)
class Sleep:
    seconds: float


@dataclass(frozen=True)
class Answer:
    """A whole answer. `waited_s`: how long the request waited for its turn before it was sent."""

    status: int
    body: bytes
    retry_after: str | None = None
    waited_s: float = 0.0


@dataclass(frozen=True)
class Lost:
    """No answer, or half of one. Whether the server scored or not, asking again is safe: same sample, same reward."""

    reason: str
    waited_s: float = 0.0


T = TypeVar("T")
Exchange = Generator["Send | Sleep", "Answer | Lost | None", T]
Clock = Callable[[], float]


@dataclass
class Deadline:
    """A moment of a monotonic `clock`, in seconds."""

    at: float
    clock: Clock

    @property
    def remaining_s(self) -> float:
        return self.at - self.clock()

    def extend(self, seconds: float) -> None:
        """By time that does not count."""
        self.at += seconds


def ask(send: Send, deadline: Deadline, jitter: Callable[[], float]) -> Exchange[Any]:
    """Asks until there is an answer; returns its JSON. Raises RequestRefused, or Unavailable at the deadline.

    The deadline stands still while the first try waits for its turn: a queue in this process says nothing of the
    server. For later tries it runs on, so that calls to a server that is gone do not wait for one another's deadlines.
    """
    for attempt in itertools.count():
        timeout_s = max(0.001, min(send.timeout_s, deadline.remaining_s))
        came = yield Send(send.url, send.body, send.api_key, timeout_s)
        if attempt == 0 and came is not None:
            deadline.extend(came.waited_s)
        if isinstance(came, Answer) and came.status not in RETRYABLE:
            if came.status != 200:
                raise refusal(came)
            try:
                return decode(came.body)
            except ValueError as error:  # cut off on its way, where no length says so
                came = Lost(f"the answer is not JSON: {error}")
        wanted_s = retry_after_s(came.retry_after, datetime.now(timezone.utc)) if isinstance(came, Answer) else 0.0
        pause_s = delay_s(attempt, retry_after_s=wanted_s, remaining_s=deadline.remaining_s, jitter=jitter())
        if pause_s is None:
            raise Unavailable(f"no answer from {send.url} after {attempt + 1} tries; the last: {reason(came)}")
        level = logging.DEBUG if attempt < QUIET_RETRIES else logging.WARNING
        log.log(level, "asking %s again in %.1f s: %s", send.url, pause_s, reason(came))
        yield Sleep(pause_s)
    raise AssertionError("unreachable")


def refusal(answer: Answer) -> RequestRefused:
    """The error for a status that is not retried."""
    code, message, detail = _error(answer)
    kind = BY_STATUS.get(answer.status, RequestRefused)
    return kind(f"{answer.status}: {message}", answer.status, code, detail)


def reason(came: Answer | Lost | None) -> str:
    """Why there is no usable answer, for people."""
    return f"{came.status}: {_error(came)[1]}" if isinstance(came, Answer) else came.reason if came else "nothing"


def _error(answer: Answer) -> tuple[str, str, object]:
    """Code, message and detail of the server's one error shape; of other servers the beginning of what they said."""
    try:
        error = decode(answer.body)["error"]
        return str(error["code"]), str(error["message"]), error.get("detail")
    except (ValueError, KeyError, TypeError, AttributeError):
        return "", answer.body[:200].decode("utf-8", "replace") or "no explanation", None
