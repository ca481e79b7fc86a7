"""Does the server keep a device busy that is as fast as a GPU? Without a GPU: the device launches a pass, and sleeps.

    python -m benchmarks.fast_device                       # two minutes on 2 quiet cores
    python -m benchmarks.fast_device --before ../before    # beside another checkout of this repository

64 groups of 8 (300 words, 100 for each completion), none seen before, to `/score/rm`: as requests of a group, as
requests of a sample over 64 connections, and as 512 requests of a sample at once. `idle` is the device's time between
its first and its last batch in which it had none. `wall` counts from the first request to the last answer, beside the
seconds that the device needs for those tokens. `CPU` is of the server with all its threads, that which launches
included. Servers take turns.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

import torch

from benchmarks.gpu.asked import GROUP, fresh_requests, rewards_of
from benchmarks.gpu.shapes import new_model
from benchmarks.processes import python_server, thread_seconds
from benchmarks.reward_model_http import save_tokenizer, wait_until_ok
from benchmarks.rounds import record, show
from benchmarks.wire import raise_file_limit

PROMPTS = 64
LOADS = {
    "requests of 8": (False, 64),
    "requests of 1, 64 connections": (True, 64),
    "requests of 1, all at once": (True, 512),
}
"""Is a group split? Connections."""


class Server:
    """A server with a fast device, and what that device was given."""

    def __init__(self, url: str, pid: int, calls: Path, tokens_per_s: float) -> None:
        self._url = url
        self._pid = pid
        self._calls = calls
        self._tokens_per_s = tokens_per_s

    def burst(self, is_split: bool, connections: int) -> dict[str, float]:
        """Sends a load. `wall`, `device` and `cpu` in seconds, `idle` as a share."""
        requests = fresh_requests(PROMPTS, is_split)
        before = len(self._calls.read_text().splitlines())
        started, cpu = time.perf_counter(), thread_seconds(self._pid)
        asyncio.run(rewards_of(self._url, requests, connections=connections))
        wall, cpu = time.perf_counter() - started, thread_seconds(self._pid) - cpu
        calls = [json.loads(line) for line in self._calls.read_text().splitlines()[before:]]
        busy = sum(end - start for start, end, _ in calls)
        return {
            "wall": wall,
            "cpu": cpu,
            "device": sum(tokens for *_, tokens in calls) / self._tokens_per_s,
            "idle": 1 - busy / (calls[-1][1] - calls[0][0]),
            "batches": len(calls),
        }


@contextmanager
def started(folder: Path, calls: Path, tokens_per_s: float, checkout: Path | None) -> Iterator[Server]:
    """A server on that model's tokenizer, once it is ready. `checkout`: whose code it runs."""
    program = str(Path(__file__).with_name("fast_device_server.py").resolve())
    options = ["--port", "0", "--rm-model", str(folder), "--rm-device", "cpu", "--rm-threads", "1"]
    command = [program, str(calls), str(tokens_per_s), "serve", *options, "--verifier-workers", "1"]
    with python_server(command, checkout or Path.cwd()) as (url, pid):
        wait_until_ok(f"{url}/ready")
        yield Server(url, pid, calls, tokens_per_s)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--tokens-per-s", type=float, default=150_000, help="of the device (default: %(default)s)")
    parser.add_argument("--before", type=Path, help="folder of another checkout, which is measured too")
    parser.add_argument("--output", type=Path, help="append the figures to this JSONL file")
    options = parser.parse_args()
    raise_file_limit()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        new_model("tiny", torch.device("cpu")).save_pretrained(folder)
        save_tokenizer(folder)
        checkouts = ({"before": options.before} if options.before else {}) | {"now": None}
        servers = {
            each: stack.enter_context(started(folder, folder / each, options.tokens_per_s, checkout))
            for each, checkout in checkouts.items()
        }
        for load, (is_split, connections) in LOADS.items():
            found: dict[str, list[dict[str, float]]] = {each: [] for each in servers}
            for _ in range(options.rounds + 1):  # the first does not count
                for each, server in servers.items():
                    found[each].append(server.burst(is_split, connections))
            compare(load, {each: rounds[1:] for each, rounds in found.items()}, options.output)


def compare(load: str, found: dict[str, list[dict[str, float]]], output: Path | None) -> None:
    """A table of medians with their ranges; all the rounds go to `output`."""
    lines = []
    for name, rounds in found.items():
        idle = [100 * each["idle"] for each in rounds]
        ratio = [each["wall"] / each["device"] for each in rounds]
        cpu = [1000 * each["cpu"] / (PROMPTS * GROUP) for each in rounds]
        lines.append([name, _span(idle, 1), _span(ratio, 2), _span(cpu, 2), median(each["batches"] for each in rounds)])
    head = ["server", "device idle, %", "wall / device", "CPU ms a sample", "batches"]
    show(f"{PROMPTS} groups of 8, {load}", head, lines)
    record(output, f"fast device, {load}", {"rows": found})


def _span(values: list[float], digits: int) -> str:
    return f"{median(values):.{digits}f} [{min(values):.{digits}f} … {max(values):.{digits}f}]"


if __name__ == "__main__":
    main()
