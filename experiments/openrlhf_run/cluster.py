"""Ray with pretended GPUs, and the variables under which OpenRLHF runs on a CPU."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
GPUS = 4
"""Pretended: for two engines, the policy, and a critic or a reference."""
VARIABLES = {
    "DS_ACCELERATOR": "cpu",
    "HF_HUB_OFFLINE": "1",
    "OMP_NUM_THREADS": "1",
    "RAY_AUTH_MODE": "disabled",
    "RAY_DEDUP_LOGS": "0",  # every line of every process
    "RAY_memory_monitor_refresh_ms": "0",  # else it kills workers when anything else fills the machine
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_TARGET_DEVICE": "cpu",
}


def environment(venv: Path) -> dict[str, str]:
    """For every process of the trainer: the copy for a CPU first, then what it imports, then this repository."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("REWARD_", "CUDA_"))}
    folders = (venv / "cpu", REPOSITORY / "experiments" / "openrlhf_run" / "on_cpu", REPOSITORY)
    path = f"{venv / 'bin'}:{inherited['PATH']}"
    return {**inherited, **VARIABLES, "PATH": path, "PYTHONPATH": ":".join(map(str, folders))}


@contextmanager
def ray_head(venv: Path, variables: dict[str, str], log: Path) -> Iterator[str]:
    """A Ray of its own, beside any other on this machine: (its address), ended at exit with all its processes."""
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    folder = tempfile.mkdtemp(prefix="ray-")  # short: Ray puts Unix sockets into it
    command = [
        str(venv / "bin" / "ray"), "start", "--head", "--block", f"--port={port}", "--node-ip-address=127.0.0.1",
        f"--num-gpus={GPUS}", "--num-cpus=8", "--include-dashboard=false", "--disable-usage-stats",
        "--object-store-memory=200000000", f"--temp-dir={folder}",
    ]  # fmt: skip
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=variables)
    try:
        _wait_until_open(port, process, log)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()  # it ends its own processes
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _wait_until_open(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    while True:
        if process.poll() is not None:
            raise RuntimeError(f"Ray did not start:\n{log.read_text()[-2000:]}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)  # polling
