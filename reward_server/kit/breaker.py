"""Is a server that failed asked again? After failures in a row it is left alone for a while. No clock, no I/O."""

from __future__ import annotations

from dataclasses import dataclass

SILENT = 3
"""So many in a row that nothing came back, and it is left alone."""
FAILURES = 20
"""So many of any kind in a row. More: an answer that is no use may lie with the question, and some questions alike."""
PAUSE_S = 30.0
"""For so long. Then one question is asked, and decides."""


@dataclass(slots=True)
class Breaker:
    """`failures`, `silent`: in a row. `next_at`: when it may be asked again, in seconds of the caller's clock.

    >>> breaker = Breaker()
    >>> [breaker.failed(now, is_silent=True) for now in (0, 1)], breaker.is_open, breaker.admits(1)
    ([None, None], False, True)
    >>> breaker.failed(2, is_silent=True), breaker.is_open, breaker.admits(31)
    (None, True, False)
    >>> breaker.admits(32), breaker.admits(32), breaker.succeeded(), breaker.admits(32)
    (True, False, None, True)
    """

    failures: int = 0
    silent: int = 0
    next_at: float = 0.0

    @property
    def is_open(self) -> bool:
        """True while it is left alone."""
        return self.silent >= SILENT or self.failures >= FAILURES

    def admits(self, now: float) -> bool:
        """May it be asked now? After a pause one caller may, and the others wait for what comes of it."""
        if not self.is_open:
            return True
        if now < self.next_at:
            return False
        self.next_at = now + PAUSE_S
        return True

    def succeeded(self) -> None:
        """It gave what was asked for."""
        self.failures = self.silent = 0

    def failed(self, now: float, *, is_silent: bool) -> None:
        """It did not. `is_silent`: nothing came back."""
        self.failures += 1
        self.silent = self.silent + 1 if is_silent else 0
        self.next_at = now + PAUSE_S
