"""Which job runs next: two queues, so that a few long jobs cannot hold up the many short ones. No I/O, no clock.

A job starts in the quick lane. One that does not end within its slice there is begun again in the slow lane with its
whole budget, so its result does not depend on the lane. The quick lane may fill all workers but one, which is kept for
the slow lane. When the quick lane has been idle for `IDLE_S`, the slow lane may fill all but one as well; otherwise it
gets half, since its jobs hold a worker for long. A pool of one worker has one lane, and its longest job holds everybody
up.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from math import inf
from typing import Generic, TypeVar

from reward_server.kit.rate import Rate

T = TypeVar("T")

FIRST_JOB_S = 0.01
"""Seconds that a job is taken to last before the first one was measured."""

IDLE_S = 1.0
"""Seconds after which a lane that ran nothing expects nothing. Shorter gaps occur under every load but the fullest."""


def _first_seconds() -> Rate:
    """Seconds a job, as if twenty of them had been measured, so that no single one decides."""
    return Rate(keep=0.95, amount=20 * FIRST_JOB_S, per=20)


@dataclass(eq=False)
class Lane(Generic[T]):
    """Jobs that wait, oldest first, and how many run. `ended_at`: when the last one did. Changed by `Lanes` only."""

    max_running: int
    waiting: deque[T] = field(default_factory=deque)
    running: int = 0
    seconds_a_job: Rate = field(default_factory=_first_seconds)
    ended_at: float = -inf

    @property
    def estimated_wait_s(self) -> float:
        """Seconds until a job queued now would start, from the measured rate."""
        return len(self.waiting) * self.seconds_a_job.value / self.max_running if self.waiting else 0.0

    def is_idle(self, now: float) -> bool:
        """True when nothing waits or runs, and nothing ended within the last `IDLE_S`."""
        return not self.waiting and not self.running and now - self.ended_at >= IDLE_S


class Lanes(Generic[T]):
    """The two lanes of a pool of `workers`. What waits and what runs changes here only."""

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

    def add(self, job: T, *, is_slow: bool = False) -> None:
        """A job that waits from now on."""
        lane = self.slow if is_slow and self.has_slices else self.quick
        lane.waiting.append(job)

    def drop(self, lane: Lane[T]) -> T:
        """The lane's oldest job, which will never run."""
        return lane.waiting.popleft()

    def start(self, lane: Lane[T]) -> T:
        """The lane's oldest job, which runs from now on."""
        lane.running += 1
        return lane.waiting.popleft()

    def end(self, lane: Lane[T], seconds: float, now: float) -> None:
        """One of the lane's jobs has ended, after so many seconds."""
        lane.running -= 1
        lane.ended_at = now
        lane.seconds_a_job.add(seconds, 1)
