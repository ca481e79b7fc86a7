"""Reading a request without trusting it: a body of bounded size, and a caller who may leave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Request

from reward_server.errors import DeadlineExceeded, InvalidRequest, RewardServerError, TooLarge

WATCH_AFTER_S = 0.25
"""Most requests are answered sooner; only a longer one is worth a task that watches its connection."""


class CallerLeft(RewardServerError):
    """The connection closed before the answer; nobody sees this one but the log."""

    code = "caller_left"


async def read_body(request: Request, limit_mb: int) -> bytes:
    """The whole body. Raises TooLarge as soon as it passes `limit_mb` MiB."""
    limit = limit_mb * 2**20
    chunks, size, more = [], 0, True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise CallerLeft("the caller closed the connection before its request was complete")
        chunk, more = message.get("body", b""), message.get("more_body", False)
        size += len(chunk)
        if size > limit:
            raise TooLarge(f"the body is over max_body_mb={limit_mb} MiB; send fewer samples a request")
        chunks.append(chunk)
    if not size:
        raise InvalidRequest("the body is empty; send a JSON object")
    return b"".join(chunks)


@asynccontextmanager
async def deadline(request: Request, seconds: float) -> AsyncIterator[None]:
    """Ends the block with DeadlineExceeded after `seconds`, with CallerLeft when the connection closes.

    Work that the block queued goes on for others, or for the caller's retry.
    """
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - a request is always handled in a task
    watcher: list[asyncio.Task[None]] = []
    start = asyncio.get_running_loop().call_later(
        WATCH_AFTER_S, lambda: watcher.append(asyncio.create_task(_cancel_when_gone(request, task)))
    )
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise DeadlineExceeded(f"not finished within {seconds:g} s; what is finished is kept for a retry") from None
    except asyncio.CancelledError:
        if watcher and watcher[0].done() and task.cancelling() == 1:
            task.uncancel()
            raise CallerLeft("the caller closed the connection") from None
        raise
    finally:
        start.cancel()
        for watching in watcher:
            watching.cancel()


async def _cancel_when_gone(request: Request, task: asyncio.Task[object]) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    task.cancel()
