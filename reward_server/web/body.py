"""A request under work: a body of bounded size, a deadline, and a caller who may leave."""

from __future__ import annotations

import asyncio

from fastapi import Request

from reward_server.admission import Admission, HeldBytes
from reward_server.errors import (
    DeadlineExceeded,
    InvalidRequest,
    RewardServerError,
    TooLarge,
    UnsupportedEncoding,
    shortened,
)
from reward_server.settings import Settings
from reward_server.web.deadlines import Deadlines

PLAIN = ("", "identity")
WATCH_AFTER_S = 0.25
"""Most requests are answered sooner; only a longer one is worth a task that watches its connection."""


class CallerLeft(RewardServerError):
    """The connection closed before the answer; nobody sees this one but the log."""

    status = 499  # nobody receives it; nginx's number for this, so that it does not count as our failure
    code = "caller_left"


async def read_body(request: Request, limit_mb: int, held: HeldBytes) -> bytes:
    """The whole body.

    Raises TooLarge as soon as it passes `limit_mb` MiB, Overloaded when `held` may not grow, UnsupportedEncoding.
    """
    _refuse_encoded(request)
    receive, limit = request.receive, limit_mb * 2**20
    chunks, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise CallerLeft("the caller closed the connection before its request was complete")
        chunk, more = message.get("body", b""), message.get("more_body", False)
        size += len(chunk)
        if size > limit:
            raise TooLarge(f"the body is over max_body_mb={limit_mb} MiB; send fewer samples a request")
        held.grow(len(chunk))
        chunks.append(chunk)
    if not size:
        raise InvalidRequest("the body is empty; send a JSON object")
    return b"".join(chunks)


def _refuse_encoded(request: Request) -> None:
    for name, value in request.scope["headers"]:
        if name == b"content-encoding" and (encoding := value.decode("latin-1").strip().lower()) not in PLAIN:
            raise UnsupportedEncoding(
                f"the body has Content-Encoding {shortened(encoding, 40)!r}; this server takes none: send it as it is"
            )


class Works:
    """The requests under work of one app."""

    def __init__(self, settings: Settings, admission: Admission) -> None:
        self.settings = settings
        self.admission = admission
        self.short: Deadlines[Work] = Deadlines(min(WATCH_AFTER_S, settings.request_timeout_s), Work.look)

    def begin(self, request: Request) -> Work:
        """The block of one request."""
        return Work(request, self)


class Work:
    """A block that ends with DeadlineExceeded after `request_timeout_s`, or with CallerLeft when the connection closes.

    Work that the block queued goes on for others, or for the caller's retry. The bytes of the body count as pending
    until the block ends. By hand instead of `asyncio.timeout`, since two things may end the block.
    """

    __slots__ = (
        *("_request", "_seconds", "_limit_mb", "_held", "_short", "_loop", "_task"),
        *("_has_body", "_timers", "_reason", "_watching"),
    )

    def __init__(self, request: Request, works: Works) -> None:
        self._request = request
        self._seconds = works.settings.request_timeout_s
        self._limit_mb = works.settings.max_body_mb
        self._held = HeldBytes(works.admission)
        self._short = works.short
        self._has_body = False
        self._timers: list[asyncio.TimerHandle] | None = None  # none while it is short
        self._reason: RewardServerError | None = None
        self._watching: asyncio.Task[None] | None = None

    def __enter__(self) -> Work:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task(self._loop)  # passing the loop saves `current_task` from looking it up
        self._short.add(self)
        return self

    async def body(self) -> bytes:
        """The whole body. From here on a caller who leaves is noticed. Raises as `read_body` does."""
        body = await read_body(self._request, self._limit_mb, self._held)
        self._has_body = True
        if self._timers is not None:
            self._timers.append(self._loop.call_later(WATCH_AFTER_S, self._start_watching))
        return body

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self._held.release()
        self._short.discard(self)
        for timer in self._timers or ():
            timer.cancel()
        if self._watching:
            self._watching.cancel()
        # Cancelled by us and by nobody else: then the reason is the error, not the cancellation.
        if kind is asyncio.CancelledError and self._reason and self._task and self._task.uncancel() == 0:
            raise self._reason from None

    def look(self) -> None:
        """The request takes long: from now on it has a timer for its deadline, and its connection is watched."""
        self._timers = [self._loop.call_later(max(0.0, self._seconds - WATCH_AFTER_S), self._too_late)]
        if self._has_body:
            self._start_watching()

    def _start_watching(self) -> None:
        self._watching = self._loop.create_task(self._until_gone())

    async def _until_gone(self) -> None:
        while (await self._request.receive())["type"] != "http.disconnect":
            pass
        self._end(CallerLeft("the caller closed the connection"))

    def _too_late(self) -> None:
        self._end(DeadlineExceeded(f"not finished within {self._seconds:g} s; what is finished is kept for a retry"))

    def _end(self, reason: RewardServerError) -> None:
        if self._task and self._reason is None:
            self._reason = reason
            self._task.cancel()
