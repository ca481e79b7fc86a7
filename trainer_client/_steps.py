"""The steps of an exchange, `Send` and `Sleep`, what may come of them, and what that says to people."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, TypeVar
from urllib.parse import urlsplit

from trainer_client._json import decode
from trainer_client._retry import retry_after_s


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


def wanted_s(came: Answer | Lost) -> float:
    """How long the server asks to be left alone."""
    return retry_after_s(came.retry_after, datetime.now(timezone.utc)) if isinstance(came, Answer) else 0.0


def reason(came: Answer | Lost, send: Send) -> str:
    """Why there is no usable answer, for people. A proxy is named unless a reward server itself has spoken."""
    code, said, _ = error_of(came) if isinstance(came, Answer) else ("", came.reason, None)
    said = f"{came.status}: {said}" if isinstance(came, Answer) else said
    if not came.proxy or code:
        return said
    return f"{said} (by way of the proxy {came.proxy}; NO_PROXY={urlsplit(send.url).hostname} goes without it)"


def error_of(answer: Answer) -> tuple[str, str, object]:
    """Code, message and detail of the server's one error shape; of other servers the beginning of what they said."""
    try:
        error = decode(answer.body)["error"]
        return str(error["code"]), str(error["message"]), error.get("detail")
    except (ValueError, KeyError, TypeError, AttributeError):
        return "", answer.body[:200].decode("utf-8", "replace") or "no explanation", None
