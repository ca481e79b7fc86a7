"""Asking a server again that failed: how often, and after how long."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from hashlib import blake2b
from typing import TypeVar

R = TypeVar("R")

ATTEMPTS = 6
"""For each question: with the pauses between them about 8 s of trouble are passed over."""
RETRIED = frozenset({502, 503, 504})
"""Statuses that say nothing about the question."""
ANY_FAULT = 500
"""A server that shuts down, or a question that it cannot take: retried too, and at last an error of the question."""


class Trouble(Exception):
    """An attempt failed and may be made again. `wait_s`: not before so many seconds, as the server said."""

    def __init__(self, message: str, wait_s: float = 0.0) -> None:
        super().__init__(message, wait_s)
        self.message, self.wait_s = message, wait_s

    def __str__(self) -> str:
        return self.message


async def tried(attempt: Callable[[bool], Awaitable[R]], seed: bytes, attempts: int = ATTEMPTS) -> R:
    """What `attempt(is_last)` returns; it is made again where it raises Trouble. Raises the last Trouble."""
    for number in range(1, attempts):
        try:
            return await attempt(False)
        except Trouble as trouble:
            await asyncio.sleep(max(retry_delay_s(number, seed), trouble.wait_s))
    return await attempt(True)


def retry_delay_s(attempt: int, seed: bytes) -> float:
    """Seconds before attempt 1, 2, …: 0.25, 0.5, 1, … up to 8, times a share of 0.5 … 1 that differs between samples.

    A hash instead of a random number: the share only has to differ between callers.
    """
    share = int.from_bytes(blake2b(seed + bytes([attempt]), digest_size=4).digest(), "big") / 2**32
    return float(min(8.0, 0.25 * 2 ** (attempt - 1))) * (0.5 + share / 2)
