"""A worker's limits on itself, in real processes with real signals.

A budget that ends does so in a process of its own: here it could end inside a callback of pytest's.
"""

import os
import signal
import subprocess
import sys
import time

import pytest

from reward_server.processes.budget import cpu_budget

BUDGETED = """
import signal, time
from reward_server.processes.budget import BudgetExceeded, cpu_budget

def burn(cpu_s):
    end = time.process_time() + cpu_s
    while time.process_time() < end:
        pass

def used(seconds, task):
    "CPU seconds until the budget ended the task; None when the task ended first."
    start = time.process_time()
    try:
        with cpu_budget(seconds):
            task()
    except BudgetExceeded:
        return time.process_time() - start
"""


def _run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600, check=False)


def _assert(code: str) -> None:
    done = _run(BUDGETED + code)
    assert done.returncode == 0, done.stderr


def test_a_task_within_its_budget_ends_normally() -> None:
    _assert("assert used(5.0, lambda: burn(0.02)) is None")


def test_a_task_over_its_budget_is_stopped() -> None:
    _assert("assert 0.05 < used(0.1, lambda: burn(5.0)) < 1.0")


def test_a_huge_power_is_stopped() -> None:
    """One C call that polls for signals: 9^9^9 has 370 million digits."""
    _assert("assert used(0.2, lambda: 9 ** (9 ** int('9'))) is not None")


def test_sleeping_costs_nothing() -> None:
    _assert("assert used(0.05, lambda: time.sleep(0.15)) is None")


def test_a_task_that_swallows_everything_is_stopped_again() -> None:
    _assert(
        """
caught = 0
def task():
    global caught
    while caught < 2:
        try:
            burn(5.0)
        except BaseException:  # what mpmath does
            caught += 1
    burn(5.0)
assert used(0.1, task) is not None and caught == 2
"""
    )


@pytest.mark.parametrize("afterwards", ["pass", "return 'a result'", "raise ValueError"])
def test_a_task_that_swallows_the_end_of_its_budget_has_no_result(afterwards: str) -> None:
    _assert(
        f"""
def task():
    try:
        burn(5.0)
    except BaseException:  # what SymPy does
        {afterwards}
assert used(0.1, task) is not None
"""
    )


def test_a_task_whose_budget_ends_in_a_finaliser_is_stopped_again() -> None:
    """There the interpreter swallows the exception, and tells about it on standard error."""
    _assert(
        """
class Slow:
    def __del__(self):
        burn(0.3)
def task():
    Slow()
    burn(5.0)
assert used(0.1, task) < 2.0
"""
    )


def test_no_signal_escapes_a_block_that_ends_in_time() -> None:
    """Blocks that end as their budget does: the exception comes inside, or not at all."""
    _assert(
        """
for _ in range(100):
    used(0.002, lambda: burn(0.002))
    burn(0.0005)
    assert signal.getitimer(signal.ITIMER_PROF)[0] == 0
"""
    )


def test_an_own_error_passes_through_and_disarms() -> None:
    with pytest.raises(KeyError), cpu_budget(60.0):
        raise KeyError
    assert signal.getitimer(signal.ITIMER_PROF)[0] == 0


@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_a_budget_must_be_positive(seconds: float) -> None:
    with pytest.raises(ValueError, match="positive"):
        cpu_budget(seconds)


def test_memory_beyond_the_limit_is_a_memory_error() -> None:
    done = _run(
        "from reward_server.processes.budget import limit_memory\n"
        "limit_memory(1 << 29)\n"
        "try: bytearray(1 << 30)\n"
        "except MemoryError: print('stopped')\n"
        "bytearray(1 << 20)"
    )
    assert (done.stdout, done.returncode) == ("stopped\n", 0), done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux")
def test_a_worker_dies_with_its_parent() -> None:
    worker = (
        "from reward_server.processes.budget import die_with_parent; die_with_parent(); print(1, flush=True); input()"
    )
    parent = (
        "import subprocess, sys, os, signal\n"
        f"p = subprocess.Popen([sys.executable, '-c', {worker!r}], stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n"
        "p.stdout.readline()\n"
        "print(p.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    pid = int(_run(parent).stdout)
    deadline = time.monotonic() + 5
    while _is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _is_running(pid)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
