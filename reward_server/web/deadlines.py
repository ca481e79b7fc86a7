"""One timer for many that may all take equally long: a timer of its own would cost each request four microseconds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from time import monotonic
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Deadlines(Generic[K]):
    """Calls `too_late(it)` for each that was not taken back within `seconds`. For one event loop."""

    def __init__(self, seconds: float, too_late: Callable[[K], object]) -> None:
        self.seconds = seconds
        self._too_late = too_late
        self._began: dict[K, float] = {}  # in the order in which they end, since all take equally long
        self._timer: asyncio.TimerHandle | None = None

    def __contains__(self, it: K) -> bool:
        return it in self._began

    def add(self, it: K) -> None:
        """Its time begins now, also if it had begun before."""
        self._began.pop(it, None)
        self._began[it] = monotonic()
        if self._timer is None:
            self._set(self.seconds)

    def discard(self, it: K) -> None:
        """It came in time, or never began."""
        self._began.pop(it, None)

    def _set(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._look)

    def _look(self) -> None:
        """Ends whose time is over, and sets the timer to the next; none is set while there is nobody."""
        self._timer = None
        now = monotonic()
        late = [it for it, began in self._began.items() if began + self.seconds <= now]
        for it in late:
            del self._began[it]
        if self._began:
            self._set(next(iter(self._began.values())) + self.seconds - now)
        for it in late:
            self._too_late(it)
