"""One-sample requests whose answer needs no worker: this server, with its logging, against a bare FastAPI route.

The bare route parses the same body and returns a constant. Once over connections that are kept alive, which favours the
bare route: what both spend on connecting dilutes the difference; and once each on a fresh one, as OpenRLHF's client.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.processes import bare_server, cpu_seconds, reward_server
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
    """CPU seconds of the server's process tree for all bodies, after a warm-up."""
    with server() as (url, pid):
        load(url, path, bodies[:WARM_UP], is_fresh)
        cpu, wall = cpu_seconds(pid), time.perf_counter()
        load(url, path, bodies, is_fresh)
        return Cost(cpu_seconds(pid) - cpu, time.perf_counter() - wall, len(bodies))


def main(output: Path | None = None, requests: int = 8000, rounds: int = 3) -> None:
    """Measures and prints the table."""
    rollouts = make_rollouts(64)
    integers = [k for k, truth in enumerate(rollouts.ground_truths) if truth.isdigit()]
    rows = [{"completions": [rollouts.completions[k]], "ground_truths": [rollouts.ground_truths[k]]} for k in integers]
    bodies = [json.dumps(rows[k % len(rows)]).encode() for k in range(requests)]
    for is_fresh, kind in ((False, "connections kept alive"), (True, "each on a fresh connection")):
        contenders = {
            "bare FastAPI route": partial(measure, bare_server, "/score", bodies, is_fresh),
            "reward-server": partial(measure, reward_server, "/score/verifier", bodies, is_fresh),
        }
        costs = take_turns(contenders, rounds)
        title = f"{requests} one-sample requests of about 6,000 characters, {kind}"
        report(title, costs, "bare FastAPI route", output)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=8000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, help="append the figures to this JSONL file")
    arguments = parser.parse_args()
    main(arguments.output, arguments.requests, arguments.rounds)
