"""Where the time of a one-sample request goes: the server with one layer more at each step, in turns, by its CPU time.

A layer costs what the server takes with it, less what it takes without it. Timed by themselves in a loop the layers are
two to three times as fast: there every cache of the processor holds nothing else.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial

from benchmarks.partial_server import LAYERS
from benchmarks.processes import bare_server, reward_server
from benchmarks.rollouts import make_rollouts
from benchmarks.single_requests import measure

MEANINGS = {
    "uvicorn": "uvicorn, the event loop and the kernel",
    "connection": "our Connection: limits on a request's head",
    "middleware": "request id, key, log line, request metrics",
    "work": "deadline, body limits, watch on the caller",
    "dialect": "plan, parse, render, headers",
    "whole": "admit, read, judge, settle, count",
}
Server = Callable[[], AbstractContextManager[tuple[str, int]]]


def main(requests: int = 4000, rounds: int = 5) -> None:
    """Measures and prints the table."""
    rollouts = make_rollouts(64)
    integers = [k for k, truth in enumerate(rollouts.ground_truths) if truth.isdigit()]
    rows = [{"completions": [rollouts.completions[k]], "ground_truths": [rollouts.ground_truths[k]]} for k in integers]
    bodies = [json.dumps(rows[k % len(rows)]).encode() for k in range(requests)]
    servers: dict[str, Server] = {name: partial(bare_server, "benchmarks.partial_server", name) for name in LAYERS}
    servers |= {"whole": partial(reward_server, "--log-format", "json"), "bare": bare_server}
    runs: dict[str, list[float]] = {name: [] for name in servers}
    for _ in range(rounds):
        for name, server in servers.items():
            path = "/score" if name == "bare" else "/score/verifier"
            runs[name].append(measure(server, path, bodies, False).cpu_s / requests * 1e6)
    taken = {name: statistics.median(values) for name, values in runs.items()}
    print("| layer | CPU µs | share |\n|---|---|---|")
    before = 0.0
    for name, meaning in MEANINGS.items():
        print(f"| {meaning} | {taken[name] - before:.0f} | {(taken[name] - before) / taken['whole']:.0%} |")
        before = taken[name]
    print(f"| reward-server | {before:.0f} [{min(runs['whole']):.0f} … {max(runs['whole']):.0f}] | 100% |")
    print(f"| bare FastAPI route | {taken['bare']:.0f} [{min(runs['bare']):.0f} … {max(runs['bare']):.0f}] | |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    main(arguments.requests, arguments.rounds)
