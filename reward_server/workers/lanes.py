"""Which job runs next: two queues, so that a few long jobs cannot hold up the many short ones. No I/O, no clock.

A job starts in the quick lane. One that does not end within its slice there is begun again in the slow lane with its
whole budget, so its result does not depend on the lane. Either lane may fill all workers but one: that one is the
other's. A pool of one worker has one lane, and holds everybody up for as long as its longest job.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")

FIRST_JOB_S = 0.01
"""What a job is taken to last before the first one was measured."""


@dataclass(eq=False)
class Lane(Generic[T]):
    """Jobs that wait, oldest first, and how many run. `seconds_a_job` is a moving average."""

    max_running: int
    waiting: deque[T] = field(default_factory=deque)
    running: int = 0
    seconds_a_job: float = FIRST_JOB_S

    @property
    def estimated_wait_s(self) -> float:
        """Seconds until a job queued now would start, from the measured rate."""
        return len(self.waiting) * self.seconds_a_job / self.max_running

    def count(self, seconds: float) -> None:
        """Takes a finished run into the average."""
        self.seconds_a_job += 0.05 * (seconds - self.seconds_a_job)


class Lanes(Generic[T]):
    """The two lanes of a pool of `workers`."""

    def __init__(self, workers: int) -> None:
        self.has_slices = workers > 1
        self._workers = workers
        self.quick: Lane[T] = Lane(max(1, workers - 1))
        self.slow: Lane[T] = Lane(max(1, workers - 1))

    def next_lane(self) -> Lane[T] | None:
        """The lane whose oldest job may start now, the quick one first; None while there is none or no worker free."""
        if self.quick.running + self.slow.running >= self._workers:
            return None
        ready = (lane for lane in (self.quick, self.slow) if lane.waiting and lane.running < lane.max_running)
        return next(ready, None)
