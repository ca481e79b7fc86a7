"""Work that several callers await, and that is kept for a while after the last of them has left."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Generic, TypeVar

R = TypeVar("R")

GRACE_S = 5.0
"""Seconds that work is kept without callers: one that timed out and asks again within them finds it."""


@dataclass(eq=False)
class Shared(Generic[R]):
    """`future`: what the work comes to. `callers`: how many await it now. `left_at`: when the last one left, in seconds
    of `time.monotonic`; None while somebody is there, and before anybody was."""

    future: asyncio.Future[R]
    callers: int = field(default=0, init=False)
    left_at: float | None = field(default=None, init=False)

    async def result(self) -> R:
        """What the work returns or raises. Raises CancelledError where it was given up."""
        self.callers += 1
        self.left_at = None
        try:
            # Shielded: whoever leaves takes nothing from the others, and may come back.
            return await asyncio.shield(self.future)
        finally:
            self.callers -= 1
            if self.callers == 0:
                self.left_at = time.monotonic()

    def is_abandoned(self, now: float) -> bool:
        """True when every caller left longer than the grace ago."""
        return self.left_at is not None and now - self.left_at > GRACE_S

    def fail(self, error: Exception) -> None:
        """Ends the work with what each caller is to get."""
        self.future.set_exception(error)
        self.future.exception()  # marks it as seen: asyncio reports errors that nobody asked for, and all may have left
