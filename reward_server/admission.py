"""Who is let in: all of a request or nothing, before any work on it starts.

Pending samples and the bytes of their bodies are counted here. The length of a queue in seconds comes from its owner. A
request that still waits for the event loop counts as one sample: a loop that is behind has its queue there.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from reward_server.errors import Overloaded


class Admission:
    """Counts what is admitted and not yet answered.

    `count_requests`: how many requests have come and are not answered, by whoever owns the connections.
    """

    def __init__(
        self,
        *,
        max_pending_samples: int,
        max_pending_bytes: int,
        max_wait_s: float,
        count_requests: Callable[[], int] = lambda: 0,
    ) -> None:
        self._count_requests = count_requests
        self.pending = 0
        self._admitted_at: dict[Place, float] = {}
        self.pending_bytes = 0
        self._max_pending = max_pending_samples
        self._max_bytes = max_pending_bytes
        self._max_wait_s = max_wait_s

    @property
    def oldest_s(self) -> float:
        """Seconds since the oldest request that is still under work was admitted; 0 when there is none."""
        now = time.monotonic()
        return now - next(iter(list(self._admitted_at.values())), now)  # whole at once: a thread may ask

    def check(self, samples: int, wait_s: float) -> None:
        """Raises Overloaded where that many samples would not be let in; `wait_s`: the length of the queue they need.

        One sample can be asked about before the body is read, so that refusing costs next to nothing.
        """
        pending = max(self.pending, self._count_requests() - 1)
        if pending > 0 and pending + samples > self._max_pending:
            raise Overloaded(
                f"{pending} samples are pending; {samples} more pass max_pending_samples={self._max_pending}",
                retry_after_s=min(wait_s, self._max_wait_s),
            )
        if wait_s > self._max_wait_s:
            raise Overloaded(
                f"the queue is {wait_s:.0f} s long, over the {self._max_wait_s:g} s a request may take",
                retry_after_s=wait_s - self._max_wait_s,
            )

    def admit(self, samples: int, wait_s: float) -> Place:
        """The samples' place, until its block ends. Raises Overloaded, with the time when it is worth asking again."""
        self.check(samples, wait_s)
        return Place(self, samples)

    def enter(self, place: Place) -> None:
        """Counts what has a place."""
        self.pending += place.samples
        self._admitted_at[place] = time.monotonic()

    def leave(self, place: Place) -> None:
        """The block ended."""
        del self._admitted_at[place]
        self.pending -= place.samples

    def take_bytes(self, held: int, more: int) -> None:
        """Counts bytes that have come for a request that holds `held`. One that is alone may always have more.

        Raises Overloaded when together with other requests they are too many.
        """
        if self.pending_bytes != held and self.pending_bytes + more > self._max_bytes:
            raise Overloaded(
                f"bodies of {self.pending_bytes / 2**20:.0f} MiB are pending; more would pass max_pending_mb"
            )
        self.pending_bytes += more

    def give_bytes(self, held: int) -> None:
        """The request ended."""
        self.pending_bytes -= held


class Place:
    """A block in which samples are pending. (A generator would take twice the time.)"""

    __slots__ = ("_admission", "samples")

    def __init__(self, admission: Admission, samples: int) -> None:
        self._admission = admission
        self.samples = samples

    def __enter__(self) -> None:
        self._admission.enter(self)

    def __exit__(self, *_error: object) -> None:
        self._admission.leave(self)


class HeldBytes:
    """What one request has of `max_pending_mb`, until `release`."""

    __slots__ = ("_admission", "_size")

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._size = 0

    def grow(self, size: int) -> None:
        """Counts bytes that have come. Raises Overloaded as `take_bytes` does."""
        self._admission.take_bytes(self._size, size)
        self._size += size

    def release(self) -> None:
        """Gives all back."""
        self._admission.give_bytes(self._size)
        self._size = 0
