"""How far a long piece of work is, on one line of a terminal, or now and then a line of a log."""

from __future__ import annotations

import sys
import time

TERMINAL_S, LOG_S = 0.2, 10.0
"""Seconds between two displays."""


class Progress:
    """`total`: what `done` counts up to, in any unit."""

    def __init__(self, name: str, total: int) -> None:
        self._name, self._total = name, total
        self._is_terminal = sys.stderr.isatty()
        self._last = time.monotonic()

    def update(self, done: int, rows: int) -> None:
        """Cheap enough for every row."""
        now = time.monotonic()
        if now - self._last >= (TERMINAL_S if self._is_terminal else LOG_S):
            self._last = now
            self._write(f"{self._name}: {done / max(1, self._total):4.0%}, {rows:,} rows", is_last=False)

    def close(self, rows: int) -> None:
        """Says how many rows there are."""
        self._write(f"{self._name}: {rows:,} rows", is_last=True)

    def _write(self, text: str, *, is_last: bool) -> None:
        begin, end = ("\r\x1b[K", "\n" if is_last else "") if self._is_terminal else ("", "\n")
        sys.stderr.write(f"{begin}{text}{end}")
        sys.stderr.flush()
