"""One question to the server with its retries, as a generator that does no network I/O.

It yields what is to be done next, `Send` or `Sleep`, is sent what came of it, and returns the answer. The sync and the
async client are two ways of driving it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any, TypeVar
from urllib.parse import urlsplit

from trainer_client._errors import BY_STATUS, RequestRefused, Unavailable
from trainer_client._json import decode
from trainer_client._retry import RETRYABLE, delay_s, retry_after_s

log = logging.getLogger("trainer_client")
QUIET_RETRIES = 2
"""So many failures in a row are an everyday matter; more may be why a run stands still."""
UNKNOWN_HOST_S = 10.0
"""For so long a host's name is looked up again that never had an address: it is misspelt, or DNS learns of it late. A
name that Kubernetes has just learned is hidden for 5 s by the answer that there was none. Docker Compose takes a
service's name away while its container restarts.
"""


@dataclass(frozen=True)
class Send:
    """POST `body` as JSON, or GET where there is none; whatever takes over `timeout_s` is `Lost`.

    The time runs from when a connection is free: calls wait for their turn inside of this process.
    """

    url: str
    body: bytes | None
    api_key: str | None = field(repr=False)
    timeout_s: float
    request_id: str = ""
    adapter: str = ""

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"


@dataclass(frozen=True)
class Sleep:
    seconds: float


@dataclass(frozen=True)
class Answer:
    """A whole answer. `waited_s`: how long the request waited for its turn before it was sent. `request_id`: the
    answer's own, "" without one. `proxy`: the one on the way, "" without one."""

    status: int
    body: bytes
    retry_after: str | None = None
    waited_s: float = 0.0
    request_id: str = ""
    proxy: str = ""


@dataclass(frozen=True)
class Lost:
    """No answer, or half of one. Whether the server scored or not, asking again is safe: same sample, same reward."""

    reason: str
    waited_s: float = 0.0
    is_unknown_host: bool = False
    proxy: str = ""


@dataclass(frozen=True)
class Reply:
    """What the server said, and the id under which it logged the request."""

    json: Any
    request_id: str


T = TypeVar("T")
Exchange = Generator["Send | Sleep", "Answer | Lost | None", T]
Clock = Callable[[], float]


@dataclass
class Deadline:
    """`seconds` after `since`, a moment of a monotonic `clock`. The chunks of a call share one."""

    seconds: float
    clock: Clock
    since: float

    @property
    def remaining_s(self) -> float:
        return self.since + self.seconds - self.clock()

    def count_from(self, moment: float) -> None:
        """Never back: several chunks say when their turn or their answer came."""
        self.since = max(self.since, moment)


@dataclass
class Tries:
    """Those of one question, counted from when its first turn came."""

    sends: Sequence[Send]
    deadline: Deadline
    known: set[str]
    """Hosts that once had an address."""
    count: int = 0
    since: float = 0.0

    def next(self) -> Send:
        send = self.sends[self.count % len(self.sends)]
        return replace(send, timeout_s=max(0.001, min(send.timeout_s, self.deadline.remaining_s)))

    def note(self, send: Send, came: Answer | Lost, asked: float) -> None:
        """The deadline stands still while the first try waits for its turn: a queue in this process says nothing of the
        server. For later tries it runs on, so that calls to a server that is gone do not wait for one another's."""
        if self.count == 0:
            self.since = asked + came.waited_s
            self.deadline.count_from(self.since)
        self.count += 1
        if not (isinstance(came, Lost) and came.is_unknown_host):
            self.known.add(send.origin)

    def pause_s(self, came: Answer | Lost, jitter: float) -> float | None:
        """None when the time is over."""
        wanted_s = retry_after_s(came.retry_after, datetime.now(timezone.utc)) if isinstance(came, Answer) else 0.0
        left_s = self.deadline.remaining_s
        if self._is_unknown(came):
            left_s = min(left_s, self.since + UNKNOWN_HOST_S - self.deadline.clock())
        return delay_s(self.count - 1, retry_after_s=wanted_s, remaining_s=left_s, jitter=jitter)

    def _is_unknown(self, came: Answer | Lost) -> bool:
        is_so = isinstance(came, Lost) and came.is_unknown_host
        return is_so and not any(send.origin in self.known for send in self.sends)

    def end(self, send: Send) -> None:
        """There is an answer."""
        now = self.deadline.clock()
        self.deadline.count_from(now)
        if self.count > QUIET_RETRIES + 1:
            log.info("%s answered after %d tries, %.0f s", send.url, self.count, now - self.since)

    def given_up(self, send: Send, came: Answer | Lost) -> Unavailable:
        others = f" and {len(self.sends) - 1} other replicas" if len(self.sends) > 1 else ""
        last = reason(came, send) + ("; is its name right?" if self._is_unknown(came) else "")
        error = Unavailable(f"no answer from {send.url}{others} after {self.count} tries; the last: {last}")
        error.request_id = send.request_id
        return error

    def log_pause(self, send: Send, came: Answer | Lost, pause_s: float) -> None:
        is_loud = self.count > QUIET_RETRIES or self._is_unknown(came)
        level = logging.WARNING if is_loud else logging.DEBUG
        log.log(level, "asking %s again in %.1f s: %s", send.url, pause_s, reason(came, send))


def ask(sends: Sequence[Send], deadline: Deadline, jitter: Callable[[], float], known: set[str]) -> Exchange[Reply]:
    """Asks until there is an answer. Raises RequestRefused, or Unavailable when the time is over.

    `sends`: the same question to each replica, the preferred one first; after a failure the next one is asked. `known`:
    the hosts that once had an address, kept from call to call: one that never had is given up after UNKNOWN_HOST_S.
    """
    tries = Tries(sends, deadline, known)
    while True:
        send, asked = tries.next(), deadline.clock()
        came = (yield send) or Lost("nothing")
        tries.note(send, came, asked)
        verdict = judged(came, send)
        if isinstance(verdict, Reply):
            tries.end(send)
            return verdict
        pause_s = tries.pause_s(verdict, jitter())
        if pause_s is None:
            raise tries.given_up(send, verdict)
        tries.log_pause(send, verdict, pause_s)
        yield Sleep(pause_s)


def judged(came: Answer | Lost, send: Send) -> Reply | Answer | Lost:
    """The reply, or what is asked again. Raises RequestRefused."""
    if isinstance(came, Lost) or came.status in RETRYABLE:
        return came
    if came.status != 200:
        raise refusal(came, send)
    try:
        return Reply(decode(came.body), came.request_id or send.request_id)
    except ValueError as error:  # cut off on its way, where no length says so
        return Lost(f"the answer is not JSON: {error}", proxy=came.proxy)


def refusal(answer: Answer, send: Send) -> RequestRefused:
    """The error for a status that is not retried."""
    code, _, detail = _error(answer)
    kind = BY_STATUS.get(answer.status, RequestRefused)
    error = kind(reason(answer, send), answer.status, code, detail)
    error.request_id = answer.request_id or send.request_id
    return error


def reason(came: Answer | Lost, send: Send) -> str:
    """Why there is no usable answer, for people. A proxy is named unless a reward server itself has spoken."""
    code, said, _ = _error(came) if isinstance(came, Answer) else ("", came.reason, None)
    said = f"{came.status}: {said}" if isinstance(came, Answer) else said
    if not came.proxy or code:
        return said
    return f"{said} (by way of the proxy {came.proxy}; NO_PROXY={urlsplit(send.url).hostname} goes without it)"


def _error(answer: Answer) -> tuple[str, str, object]:
    """Code, message and detail of the server's one error shape; of other servers the beginning of what they said."""
    try:
        error = decode(answer.body)["error"]
        return str(error["code"]), str(error["message"]), error.get("detail")
    except (ValueError, KeyError, TypeError, AttributeError):
        return "", answer.body[:200].decode("utf-8", "replace") or "no explanation", None
