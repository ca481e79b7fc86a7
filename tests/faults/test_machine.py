"""The machine lets the server down: no memory, no disk, no file descriptors, a clock that jumps.

Each test says what a caller saw, that every reward was right, and that afterwards everything works.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest
from conftest import Starter
from running_server import RunningServer, until
from test_lifecycle import bombs

HEADROOM = 24
"""File descriptors over what the server has open: enough to start a worker, which needs about ten."""
HONEST = {
    "completions": [f"\\boxed{{{n}+\\ln(x)}}" for n in (3, 4, 5)],
    "ground_truths": ["\\ln x+3", "\\ln x+4", "\\ln x+6"],
}
EARNED = [1.0, 1.0, 0.0]

CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
static long offset(void) {
    FILE *file = fopen(getenv("CLOCK_OFFSET_FILE"), "r");
    long seconds = 0;
    if (file) { if (fscanf(file, "%ld", &seconds) != 1) seconds = 0; fclose(file); }
    return seconds;
}
int clock_gettime(clockid_t id, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(id, now);
    if (id == CLOCK_REALTIME) now->tv_sec += offset();
    return result;
}
int gettimeofday(struct timeval *now, void *zone) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec; now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}
time_t time(time_t *result) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    if (result) *result = exact.tv_sec;
    return exact.tv_sec;
}
"""


def test_a_worker_out_of_memory_costs_its_own_answer_only(start_server: Starter) -> None:
    """2^1000000000 needs 380 MiB; the worker may have 256. The attempt ends in it, paid 0 as ever."""
    limits = ("--worker-memory-mb", "256", "--soft-timeout-s", "20", "--hard-timeout-s", "90")
    with start_server("--verifier-workers", "1", *limits) as server:
        body = {"completions": ["\\boxed{2^{1000000000}}", "\\boxed{1+\\ln x}"], "ground_truths": ["\\ln x+1"] * 2}
        (worker,) = server.workers()
        assert server.post("/score/verifier", body).json()["rewards"] == [0.0, 1.0]
        assert server.post("/score/verifier", HONEST).json()["rewards"] == EARNED
        assert server.workers() == [worker]
        assert server.metric("reward_worker_kills_total") == 0


def test_a_log_on_a_full_disk_loses_lines_and_nothing_else(tmp_path: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    from running_server import running_server

    with running_server(full) as server:
        for _ in range(20):
            assert server.post("/score/verifier", HONEST).json()["rewards"] == EARNED
        assert server.post("/score/verifier", b"rubbish").status_code == 422
        assert server.metric("reward_samples_total", outcome="correct") == 40
        assert server.stop() == 0


def test_scoring_a_file_fails_clearly_on_a_full_disk_and_goes_on_later(tmp_path: Path) -> None:
    """The limit on a file's size stands for the full disk: the same failing write, without being root."""
    rollouts, output, whole = (tmp_path / name for name in ("rollouts.jsonl", "scored.jsonl", "whole.jsonl"))
    rows = [{"completion": f"so \\boxed{{{n}}}", "ground_truth": str(n - n % 3)} for n in range(2000)]
    rollouts.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def score(target: Path, **options: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "reward_server", "score", str(rollouts), "-o", str(target)]
        return subprocess.run(command, capture_output=True, text=True, timeout=600, **options)  # type: ignore[call-overload, no-any-return]

    failed = score(output, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)))
    assert failed.returncode == 2
    assert str(output) in failed.stderr and "File too large" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert 0 < output.stat().st_size <= 100_000
    assert score(output).returncode == 0
    assert score(whole).returncode == 0
    assert output.read_bytes() == whole.read_bytes()
    assert [json.loads(line)["reward"] for line in output.read_text().splitlines()] == [
        float(n % 3 == 0) for n in range(2000)
    ]


def test_a_jumping_clock_changes_nothing(start_server: Starter, tmp_path: Path) -> None:
    """A day ahead and two days back while answers are graded: only the log's times show it."""
    if shutil.which("gcc") is None or sys.platform != "linux":
        pytest.skip("needs gcc, for a library that shifts the clock")
    source, library, offset = tmp_path / "clock.c", tmp_path / "clock.so", tmp_path / "offset"
    source.write_text(CLOCK)
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    offset.write_text("0")
    environment = {"LD_PRELOAD": str(library), "CLOCK_OFFSET_FILE": str(offset)}
    limits = ("--verifier-workers", "1", "--hard-timeout-s", "90")  # a loaded machine must not pass it
    with start_server(*limits, environment=environment) as server, ThreadPoolExecutor() as threads:
        for number, shift in enumerate(("86400", "-86400")):
            mixed = {key: bombs(2)[key][number : number + 1] + HONEST[key] for key in HONEST}  # each bomb new: uncached
            pending = threads.submit(server.post, "/score/verifier", mixed)
            until(lambda: server.metric("reward_pending_samples") == 4)
            offset.write_text(shift)
            reply = pending.result()
            assert reply.status_code == 200
            assert reply.json()["rewards"] == [0.0, *EARNED]
        assert server.get("/ready").status_code == 200
        assert server.metric("reward_worker_kills_total") == 0
        assert server.stop() == 0
        days = {str(line["time"])[:10] for line in server.log_lines()}
        assert len(days) >= 2, "the clock did not jump"


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def held_connections(server: RunningServer, number: int) -> Iterator[None]:
    host, port = server.url.removeprefix("http://").split(":")
    with ExitStack() as stack:
        for _ in range(number):
            connection = stack.enter_context(socket.socket())
            connection.settimeout(5)
            connection.connect((host, int(port)))
        yield


def test_a_server_without_file_descriptors_neither_dies_nor_spins_and_recovers(start_server: Starter) -> None:
    """A worker dies at the worst moment: no new one can be started, so its sample is an `error`, null, and no other."""
    with start_server("--verifier-workers", "1") as server, httpx.Client(base_url=server.url, timeout=600) as client:
        assert client.post("/score/verifier", json=HONEST).json()["rewards"] == EARNED
        pid = server.process.pid
        opened = len(os.listdir(f"/proc/{pid}/fd"))
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (opened + HEADROOM, opened + HEADROOM))
        with held_connections(server, 100):
            until(lambda: len(os.listdir(f"/proc/{pid}/fd")) >= opened + HEADROOM)
            before, wall = cpu_seconds(pid), time.monotonic()
            time.sleep(1.5)  # what is measured: the server has nothing to do, and must do nothing
            assert (cpu_seconds(pid) - before) / (time.monotonic() - wall) < 0.5
            assert client.post("/score/verifier", json=HONEST).json()["rewards"] == EARNED  # on its open connection
            (worker,) = server.workers()
            os.kill(worker, signal.SIGKILL)
            fresh = {"completions": ["\\boxed{9+\\ln(x)}", "\\boxed{7}"], "ground_truths": ["\\ln x+9", "7"]}
            assert client.post("/score/verifier", json=fresh).json()["rewards"] in ([None, 1.0], [1.0, 1.0])
            if not server.workers():
                assert client.get("/ready").status_code == 503
                assert "no worker for Math-Verify can be started" in client.get("/ready").text
        until(lambda: client.get("/ready").status_code == 200)
        until(lambda: client.post("/score/verifier", json=fresh).json()["rewards"] == [1.0, 1.0])
        assert httpx.post(server.url + "/score/verifier", json=HONEST).json()["rewards"] == EARNED
        assert server.stop() == 0
