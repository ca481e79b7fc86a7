"""One call for the pool, what may become of it, and who hears of that."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from reward_server.kit.shared import Shared

R = TypeVar("R")


def _nothing(*_seconds: float) -> None:
    """The event that nobody listens to."""


class WorkerKilled(Exception):
    """The job ran past its limit; its worker was killed. `is_machine`: it hardly ran, so it is not to blame."""

    def __init__(self, message: str, is_machine: bool = False) -> None:
        super().__init__(message, is_machine)
        self.is_machine = is_machine


class WorkerDied(Exception):
    """Twice the job's worker died without our kill, or the machine did not let it run."""


@dataclass(eq=False)
class Job(Shared[R]):
    """One call, queued or running. Any number of callers may await its `result`.

    `counts_waiting`: it is killed at its limit though it hardly used the CPU, unless it could not get at one.
    """

    call: Callable[..., R]
    quick_call: Callable[..., R]
    args: tuple[object, ...]
    counts_waiting: bool = False
    queued_at: float = field(default_factory=time.monotonic)


@dataclass(frozen=True)
class PoolEvents:
    """Called when something happens to a job or a worker; seconds where a duration belongs to it."""

    on_queued: Callable[[float], object] = _nothing
    on_run: Callable[[float], object] = _nothing
    on_demote: Callable[[], object] = _nothing
    on_kill: Callable[[], object] = _nothing
    on_death: Callable[[], object] = _nothing
    on_drop: Callable[[], object] = _nothing


NO_EVENTS = PoolEvents()
"""Nobody listens."""
