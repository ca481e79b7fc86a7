"""Which job runs next: two queues, so that a few long jobs cannot hold up the many short ones. No I/O, no clock.

A job starts in the quick lane. One that does not end within its slice there is begun again in the slow lane with its
whole budget, so its result does not depend on the lane. The quick lane may fill all workers but one, which is the slow
lane's. That may as well after the quick lane was idle for a while, else only half: its jobs hold a worker for long. A
pool of one worker has one lane, and holds everybody up for as long as its longest job.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from math import inf
from typing import Generic, TypeVar

T = TypeVar("T")

FIRST_JOB_S = 0.01
"""What a job is taken to last before the first one was measured."""

IDLE_S = 1.0
"""A lane that ran nothing for so long expects nothing. Shorter gaps are found under every load but the fullest."""


@dataclass(eq=False)
class Lane(Generic[T]):
    """Jobs that wait, oldest first, and how many run. `seconds_a_job` is a moving average; `ended_at` of the last."""

    max_running: int
    waiting: deque[T] = field(default_factory=deque)
    running: int = 0
    seconds_a_job: float = FIRST_JOB_S
    ended_at: float = -inf

    @property
    def estimated_wait_s(self) -> float:
        """Seconds until a job queued now would start, from the measured rate."""
        return len(self.waiting) * self.seconds_a_job / self.max_running

    def end(self, seconds: float, now: float) -> None:
        """One that ran so long ends."""
        self.running -= 1
        self.ended_at = now
        self.seconds_a_job += 0.05 * (seconds - self.seconds_a_job)

    def is_idle(self, now: float) -> bool:
        """True when nothing waits, runs, or ran a moment ago."""
        return not self.waiting and not self.running and now - self.ended_at >= IDLE_S


class Lanes(Generic[T]):
    """The two lanes of a pool of `workers`."""

    def __init__(self, workers: int) -> None:
        self.has_slices = workers > 1
        self._workers = workers
        self.quick: Lane[T] = Lane(max(1, workers - 1))
        self.slow: Lane[T] = Lane(max(1, workers - 1))

    def next_lane(self, now: float) -> Lane[T] | None:
        """The lane whose oldest job may start now, the quick one first; None while there is none or no worker free."""
        if self.quick.running + self.slow.running >= self._workers:
            return None
        if self.quick.waiting and self.quick.running < self.quick.max_running:
            return self.quick
        most = self.slow.max_running if self.quick.is_idle(now) else max(1, self._workers // 2)
        return self.slow if self.slow.waiting and self.slow.running < most else None
