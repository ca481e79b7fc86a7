"""One-sample requests whose answer needs no worker: this server, with its logging, against a bare FastAPI route.

The bare route parses the same body and returns a constant. Once over connections that are kept alive, which favours the
bare route: what both spend on connecting dilutes the difference; and once each on a fresh one, as OpenRLHF's client.

Each round starts the servers anew, since one start differs from the next by some per cent. On two cores a server pays
for waking the callers' core, the more the less they have to do. `--one-core` puts all on one core, where nobody does.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.processes import bare_server, reward_server, thread_seconds
from benchmarks.rollouts import make_rollouts
from benchmarks.rounds import Cost, report, take_turns

CONNECTIONS = 8
WARM_UP = 400


def load(url: str, path: str, bodies: list[bytes], is_fresh: bool) -> None:
    """Posts the bodies over a few connections, each waiting for its reply."""
    where = urlsplit(url)

    def one_connection(mine: list[bytes]) -> None:
        connection = HTTPConnection(str(where.hostname), where.port or 80)
        for body in mine:
            if is_fresh:
                connection.close()  # opens again by itself
            connection.request("POST", path, body, {"Content-Type": "application/json"})
            reply = connection.getresponse()
            if reply.status != 200:
                raise AssertionError(reply.read())
            reply.read()

    with ThreadPoolExecutor(CONNECTIONS) as threads:
        list(threads.map(one_connection, [bodies[k::CONNECTIONS] for k in range(CONNECTIONS)]))


def measure(
    server: Callable[[], AbstractContextManager[tuple[str, int]]], path: str, bodies: list[bytes], is_fresh: bool
) -> Cost:
    """CPU seconds of the server's process for all bodies, after a warm-up."""
    with server() as (url, pid):
        load(url, path, bodies[:WARM_UP], is_fresh)
        cpu, wall = thread_seconds(pid), time.perf_counter()
        load(url, path, bodies, is_fresh)
        return Cost(thread_seconds(pid) - cpu, time.perf_counter() - wall, len(bodies))


def main(output: Path | None = None, requests: int = 2000, rounds: int = 7, before: Path | None = None) -> None:
    """Measures and prints the table. `before`: another checkout, which is measured too."""
    rollouts = make_rollouts(64)
    integers = [k for k, truth in enumerate(rollouts.ground_truths) if truth.isdigit()]
    rows = [{"completions": [rollouts.completions[k]], "ground_truths": [rollouts.ground_truths[k]]} for k in integers]
    bodies = [json.dumps(rows[k % len(rows)]).encode() for k in range(requests)]
    for is_fresh, kind in ((False, "connections kept alive"), (True, "each on a fresh connection")):
        contenders = {"bare FastAPI route": partial(measure, bare_server, "/score", bodies, is_fresh)}
        checkouts = {"reward-server": None} | ({"reward-server before": before} if before else {})
        for name, checkout in checkouts.items():
            server = partial(reward_server, "--log-format", "json", checkout=checkout)
            contenders[name] = partial(measure, server, "/score/verifier", bodies, is_fresh)
        costs = take_turns(contenders, rounds)
        cores = len(os.sched_getaffinity(0))
        title = f"{requests} one-sample requests of about 6,000 characters, {kind}, on {cores} cores"
        report(title, costs, "bare FastAPI route", output)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--before", type=Path, help="folder of another checkout, which is measured too")
    parser.add_argument("--one-core", action="store_true", help="all processes on one core (Linux)")
    parser.add_argument("--output", type=Path, help="append the figures to this JSONL file")
    arguments = parser.parse_args()
    if arguments.one_core:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    main(arguments.output, arguments.requests, arguments.rounds, arguments.before)
