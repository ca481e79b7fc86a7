"""Who is let in: all of a request or nothing, before any work on it starts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from reward_server.errors import Overloaded


class Admission:
    """Counts what is admitted and not yet answered; `estimated_wait_s` tells the queue's length in seconds."""

    def __init__(self, *, max_pending_samples: int, max_wait_s: float, estimated_wait_s: Callable[[], float]) -> None:
        self.pending = 0
        self._admitted_at: dict[object, float] = {}
        self._max_pending = max_pending_samples
        self._max_wait_s = max_wait_s
        self._estimated_wait_s = estimated_wait_s

    @property
    def oldest_s(self) -> float:
        """Seconds since the oldest request that is still under work was admitted; 0 when there is none."""
        now = time.monotonic()
        return now - next(iter(self._admitted_at.values()), now)

    @contextmanager
    def admit(self, samples: int) -> Iterator[None]:
        """Holds the samples' place. Raises Overloaded, with the time after which it is worth asking again."""
        wait_s = self._estimated_wait_s()
        if self.pending and self.pending + samples > self._max_pending:
            raise Overloaded(
                f"{self.pending} samples are pending; {samples} more pass max_pending_samples={self._max_pending}",
                retry_after_s=min(wait_s, self._max_wait_s),
            )
        if wait_s > self._max_wait_s:
            raise Overloaded(
                f"the queue is {wait_s:.0f} s long, over the {self._max_wait_s:g} s a request may take",
                retry_after_s=wait_s - self._max_wait_s,
            )
        self.pending += samples
        request = object()
        self._admitted_at[request] = time.monotonic()
        try:
            yield
        finally:
            del self._admitted_at[request]
            self.pending -= samples
