"""Limits a worker process sets on itself: CPU time of one task, memory, and its own life. POSIX.

A limit that Python can enforce is not the last line of defence: one C call that never returns to the interpreter
outlives `cpu_budget`, so the parent keeps a hard kill in wall time. Nothing here knows what the task is.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from types import FrameType, TracebackType

REPEAT_S = 0.05
"""CPU seconds between two attempts to stop a task that swallowed the first one."""

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


class BudgetExceeded(BaseException):
    """The CPU budget is spent. A BaseException, so that `except Exception` in a library does not hide it."""


class Unfinished(Exception):
    """A part of the budget is spent without a result; the whole of it may do."""


class cpu_budget:
    """Raises `BudgetExceeded` inside the block once it has used `seconds` of CPU time (user and system, whole process).

    CPU time, not wall time, so a loaded host does not turn slow answers into failures. The signal is sent again every
    `REPEAT_S`, for code that catches everything, and a block that swallowed it and went on to some result ends with
    `BudgetExceeded` all the same: else the moment of the signal would decide between a result and none. Main thread
    only; not reentrant: an inner budget ends the outer one.
    """

    def __init__(self, seconds: float) -> None:
        if seconds <= 0:  # setitimer(0) would mean "no limit"
            raise ValueError("a CPU budget must be positive")
        self._seconds = seconds

    def __enter__(self) -> None:
        self._is_spent = False
        signal.signal(signal.SIGPROF, self._stop)
        signal.setitimer(signal.ITIMER_PROF, self._seconds, REPEAT_S)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        # Not the default action, which kills the process if a signal is still on its way.
        signal.signal(signal.SIGPROF, signal.SIG_IGN)
        if self._is_spent and (kind is None or issubclass(kind, Exception)):
            raise BudgetExceeded from None

    def _stop(self, signum: int, frame: FrameType | None) -> None:
        """Raises, except while the timer is being set up or taken down: there it would escape the `with` block."""
        if frame is None or frame.f_code not in (cpu_budget.__enter__.__code__, cpu_budget.__exit__.__code__):
            self._is_spent = True
            raise BudgetExceeded


def limit_memory(max_bytes: int) -> None:
    """Caps this process's address space: beyond it an allocation raises MemoryError. The hard limit stays as it is."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (max_bytes, hard))


def die_with_parent() -> None:
    """Has the kernel kill this process (SIGKILL) when its parent ends, so that nothing outlives the server.

    Linux; elsewhere nothing happens. The kernel watches the THREAD that started this process: start workers from a
    thread that lives as long as the server. A parent that ended before this call is not noticed.
    """
    if sys.platform != "linux":
        return
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
