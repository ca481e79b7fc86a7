"""A real server in its own process, for tests: started on a free port of the loopback, ended by its own process id."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

SERVER_PYTHON = os.environ.get("SERVER_PYTHON", sys.executable)
"""Another Python for the server: it needs 3.11, the client under test 3.10."""

HANG_S = 600
"""A test that waits longer hangs. No test fails because the machine is slow."""


@dataclass
class RunningServer:
    """One server: its URL, its process, its log file."""

    url: str
    process: subprocess.Popen[str]
    log: Path

    def post(self, path: str, body: object = None, **options: object) -> httpx.Response:
        """POSTs JSON, written by Python's json so that lone surrogates pass."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return httpx.post(self.url + path, content=content, timeout=HANG_S, **options)  # type: ignore[arg-type]

    def get(self, path: str, **options: object) -> httpx.Response:
        return httpx.get(self.url + path, timeout=HANG_S, **options)  # type: ignore[arg-type]

    def metric(self, name: str, **labels: str) -> float:
        """The sum of the series that have these labels, 0 when there is none yet."""
        wanted = {f'{key}="{value}"' for key, value in labels.items()}
        total = 0.0
        for line in self.get("/metrics").text.splitlines():
            series, _, value = line.rpartition(" ")
            found, _, rest = series.partition("{")
            if found == name and wanted <= set(rest.rstrip("}").split(",")):
                total += float(value)
        return total

    def wait_ready(self, seconds: float = HANG_S) -> None:
        """Returns once /ready says 200; the reward model loads in the background."""
        end = time.monotonic() + seconds
        while (reply := self.get("/ready")).status_code != 200:
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < end, reply.text
            time.sleep(0.05)  # polling, not guessing

    def log_lines(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    def workers(self) -> list[int]:
        """Process ids of the verifier workers."""
        pid = self.process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Sends the signal and returns the exit code."""
        self.process.send_signal(number)
        return self.process.wait(HANG_S)


def until(condition: Callable[[], bool], seconds: float = HANG_S) -> None:
    """Waits for something that must come true; fails when it does not in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)  # polling, not guessing: the loop ends as soon as it is true


@contextmanager
def running_server(
    log: Path,
    *options: str,
    environment: Mapping[str, str] | None = None,
    program: Sequence[str] = ("-m", "reward_server"),
) -> Iterator[RunningServer]:
    """Starts `reward-server serve`, or another Python program, and waits for the line that tells its URL.

    One worker for Math-Verify, unless the options say more: each takes a second of CPU to start.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("REWARD_")}
    with log.open("a") as log_file:
        process = subprocess.Popen(
            [SERVER_PYTHON, *program, "serve", "--port", "0", *options],
            stdout=subprocess.PIPE,
            stderr=log_file,
            text=True,
            env={"REWARD_VERIFIER_WORKERS": "1", **inherited, **(environment or {})},
        )
    assert process.stdout is not None
    with process:
        try:
            line = next((line for line in process.stdout if "listens on" in line), None)
            assert line is not None, f"the server did not start: {log.read_text()}"
            yield RunningServer(line.split()[-1], process, log)
        finally:
            if process.poll() is None:
                process.kill()
