"""Starting servers to measure, and reading the CPU time of a process with all its children. Linux."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

TICKS = os.sysconf("SC_CLK_TCK")


@contextmanager
def reward_server(*options: str, checkout: Path | None = None) -> Iterator[tuple[str, int]]:
    """Our server on a free port, once it is ready: (its URL, its process id). `checkout`: of another commit."""
    command = [sys.executable, "-m", "reward_server", "serve", "--port", "0", *options]
    with _started(command, checkout) as (line, pid):
        url = line.split()[-1]
        while not _is_ready(url):
            time.sleep(0.1)  # polling: a reward model loads while the port is open
        yield url, pid


@contextmanager
def bare_server(module: str = "benchmarks.bare_route", *arguments: str) -> Iterator[tuple[str, int]]:
    """The floor: `bare_route.py`, or another program that prints its URL, on a free port."""
    with _started([sys.executable, "-m", module, *arguments]) as (line, pid):
        yield line.strip(), pid


@contextmanager
def python_server(command: list[str], checkout: Path) -> Iterator[tuple[str, int]]:
    """A Python program that serves with the code of `checkout`: (its URL, its process id)."""
    with _started([sys.executable, *command], checkout) as (line, pid):
        yield line.split()[-1], pid


def cpu_seconds(pid: int) -> float:
    """User and system time of the process, its living descendants, and the dead ones that were waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    own = sum(map(int, fields[11:15])) / TICKS
    return own + sum(cpu_seconds(child) for child in children(pid))


def thread_seconds(pid: int) -> float:
    """CPU time of the process's living threads, without its children, in ns steps where `cpu_seconds` has 10 ms."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def children(pid: int) -> list[int]:
    """Process ids of the living children."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def tree(pid: int) -> list[int]:
    """The process and all its living descendants."""
    return [pid, *(descendant for child in children(pid) for descendant in tree(child))]


def peak_mb(pid: int) -> int:
    """The most memory the process ever held, MiB."""
    return _status(pid, "VmHWM") // 1024


def memory_mb(pid: int) -> int:
    """Memory that the process holds now, MiB."""
    return _status(pid, "VmRSS") // 1024


def threads(pid: int) -> int:
    """Threads of the process."""
    return _status(pid, "Threads")


def open_files(pid: int) -> int:
    """Open files, pipes and sockets of the process."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def _status(pid: int, field: str) -> int:
    return int(Path(f"/proc/{pid}/status").read_text().partition(f"{field}:")[2].split()[0])


def unwind_on_sigterm() -> None:
    """From now on `kill` ends this program by way of its `with` blocks, as Ctrl-C does: what it started ends too."""
    if threading.current_thread() is threading.main_thread():  # no other may say so
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def _is_ready(url: str) -> bool:
    try:
        with urlopen(url + "/ready"):
            return True
    except HTTPError:
        return False


@contextmanager
def _started(command: list[str], folder: Path | None = None) -> Iterator[tuple[str, int]]:
    """The first line with a URL that the process prints, and its id; ends it at exit. `folder`: where its code is."""
    unwind_on_sigterm()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REWARD_")}
    if folder is not None:
        environment["PYTHONPATH"] = str(folder.resolve())
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment, cwd=folder
    )
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    try:
        for line in process.stdout:
            if "http://" in line:
                yield line, process.pid
                return
        raise RuntimeError(f"{command} ended without listening")
    finally:
        process.terminate()
        process.wait()
