"""A worker's limits on itself, in real processes with real signals."""

import os
import signal
import subprocess
import sys
import time

import pytest

from reward_server.workers.budget import BudgetExceeded, cpu_budget

# Where a budget ends inside a callback of the interpreter, it is swallowed there and fires again: not an error here.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def _burn(cpu_s: float) -> None:
    end = time.process_time() + cpu_s
    while time.process_time() < end:
        pass


def test_a_task_within_its_budget_ends_normally() -> None:
    with cpu_budget(5.0):
        _burn(0.02)


def test_a_task_over_its_budget_is_stopped() -> None:
    start = time.process_time()
    with pytest.raises(BudgetExceeded), cpu_budget(0.1):
        _burn(5.0)
    assert time.process_time() - start < 1.0


def test_a_huge_power_is_stopped() -> None:
    """One C call that polls for signals: 9^9^9 has 370 million digits."""
    with pytest.raises(BudgetExceeded), cpu_budget(0.2):
        9 ** (9**9)


def test_sleeping_costs_nothing() -> None:
    with cpu_budget(0.05):
        time.sleep(0.15)


def test_a_task_that_swallows_everything_is_stopped_again() -> None:
    caught = 0
    with pytest.raises(BudgetExceeded), cpu_budget(0.1):
        while caught < 2:
            try:
                _burn(5.0)
            except BaseException:  # noqa: BLE001 -- what mpmath does
                caught += 1
        _burn(5.0)
    assert caught == 2


def test_no_signal_escapes_a_block_that_ends_in_time() -> None:
    """Blocks that end as their budget does: the exception comes inside, or not at all."""
    for _ in range(100):
        try:
            with cpu_budget(0.002):
                _burn(0.002)
        except BudgetExceeded:
            pass
        _burn(0.0005)
        assert signal.getitimer(signal.ITIMER_PROF)[0] == 0


def test_an_own_error_passes_through_and_disarms() -> None:
    with pytest.raises(KeyError), cpu_budget(1.0):
        raise KeyError
    assert signal.getitimer(signal.ITIMER_PROF)[0] == 0


@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_a_budget_must_be_positive(seconds: float) -> None:
    with pytest.raises(ValueError, match="positive"):
        cpu_budget(seconds)


def _run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)


def test_memory_beyond_the_limit_is_a_memory_error() -> None:
    done = _run(
        "from reward_server.workers.budget import limit_memory\n"
        "limit_memory(1 << 29)\n"
        "try: bytearray(1 << 30)\n"
        "except MemoryError: print('stopped')\n"
        "bytearray(1 << 20)"
    )
    assert (done.stdout, done.returncode) == ("stopped\n", 0), done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux")
def test_a_worker_dies_with_its_parent() -> None:
    worker = (
        "from reward_server.workers.budget import die_with_parent; die_with_parent(); print(1, flush=True); input()"
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
