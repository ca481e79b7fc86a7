"""Where the time of a one-sample request goes: the server with one layer more at each step, in turns, by its CPU time.

A layer costs what the server takes with it, less what it takes without it. Timed by themselves in a loop the layers are
two to three times as fast: there every cache of the processor holds nothing else.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from functools import partial

from benchmarks.partial_server import LAYERS
from benchmarks.processes import bare_server, reward_server, thread_seconds
from benchmarks.rollouts import make_rollouts
from benchmarks.single_requests import load

MEANINGS = {
    "uvicorn": "uvicorn, the event loop and the kernel",
    "connection": "our Connection: limits on a request's head",
    "middleware": "request id, key, log line, request metrics",
    "work": "deadline, body limits, watch on the caller",
    "dialect": "plan, parse, render, headers",
    "whole": "admit, read, judge, settle, count",
}
Server = Callable[[], AbstractContextManager[tuple[str, int]]]


def main(requests: int = 800, rounds: int = 9) -> None:
    """Measures and prints the tables. All servers run at once; only the one whose turn it is has work."""
    rollouts = make_rollouts(64)
    integers = [k for k, truth in enumerate(rollouts.ground_truths) if truth.isdigit()]
    rows = [{"completions": [rollouts.completions[k]], "ground_truths": [rollouts.ground_truths[k]]} for k in integers]
    bodies = [json.dumps(rows[k % len(rows)]).encode() for k in range(requests)]
    servers: dict[str, Server] = {name: partial(bare_server, "benchmarks.partial_server", name) for name in LAYERS}
    servers |= {"whole": partial(reward_server, "--log-format", "json"), "bare": bare_server}
    with ExitStack() as stack:
        started = {name: stack.enter_context(server()) for name, server in servers.items()}
        for is_fresh in (False, True):
            runs: dict[str, list[float]] = {name: [] for name in started}
            for _ in range(rounds + 1):  # the first is the warm-up
                for name, (url, pid) in started.items():
                    before = thread_seconds(pid)
                    load(url, "/score" if name == "bare" else "/score/verifier", bodies, is_fresh)
                    runs[name].append((thread_seconds(pid) - before) / requests * 1e6)
            show({name: values[1:] for name, values in runs.items()}, is_fresh)


def show(runs: dict[str, list[float]], is_fresh: bool) -> None:
    """One table; `runs`: microseconds a request, one a turn."""
    taken = {name: statistics.median(values) for name, values in runs.items()}
    print(f"\n{'fresh connections' if is_fresh else 'kept connections'}\n\n| layer | CPU µs | share |\n|---|---|---|")
    before = 0.0
    for name, meaning in MEANINGS.items():
        print(f"| {meaning} | {taken[name] - before:.0f} | {(taken[name] - before) / taken['whole']:.0%} |")
        before = taken[name]
    print(f"| reward-server | {before:.0f} [{min(runs['whole']):.0f} … {max(runs['whole']):.0f}] | 100% |")
    print(f"| bare FastAPI route | {taken['bare']:.0f} [{min(runs['bare']):.0f} … {max(runs['bare']):.0f}] | |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=800)
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    main(arguments.requests, arguments.rounds)
