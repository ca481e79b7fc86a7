"""How long a large request holds up everybody else: the longest wait for GET /health while one is scored.

The wait is seen from a client on the same machine, so it is an upper bound of how long the event loop was blocked.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from benchmarks.processes import reward_server
from benchmarks.rollouts import make_rollouts
from benchmarks.rounds import record, show

MEGABYTE = 2**20


def bodies(size_mb: int) -> dict[str, dict[str, list[str]]]:
    """Requests of about `size_mb` MiB: as many rollouts as a trainer would send, and one giant completion."""
    rollouts = make_rollouts(64)
    text = "\n".join(rollouts.completions)
    characters = int(size_mb * MEGABYTE * len(text) / len(json.dumps(text)))  # escapes take two bytes
    each = characters // 4100
    many = [text[k * 997 : k * 997 + each] + "\\boxed{4}" for k in range(4000)]
    giant = (text * (characters // len(text) + 1))[: characters - 4096] + "\\boxed{4}"
    return {
        "4,000 completions": {"completions": many, "ground_truths": ["4"] * len(many), "groups": ["q"] * len(many)},
        "one completion": {"completions": [giant], "ground_truths": ["4"], "groups": ["q"]},
    }


def longest_wait_ms(url: str, path: str, body: bytes) -> tuple[float, float]:
    """(longest wait for /health while the body is scored, milliseconds; seconds until the body was answered)."""
    where = urlsplit(url)
    waits: list[float] = []
    done = threading.Event()

    def ask() -> None:
        connection = HTTPConnection(str(where.hostname), where.port or 80)
        while not done.is_set():
            started = time.perf_counter()
            connection.request("GET", "/health")
            connection.getresponse().read()
            waits.append(1000 * (time.perf_counter() - started))
            time.sleep(0.002)  # a pace, so that the asking is no load

    asking = threading.Thread(target=ask)
    asking.start()
    started = time.perf_counter()
    with urlopen(Request(url + path, body)) as reply:
        reply.read()
    seconds = time.perf_counter() - started
    done.set()
    asking.join()
    return max(waits), seconds


def main(output: Path | None = None, rounds: int = 3) -> None:
    """Measures and prints the table."""
    lines, rows = [], []
    with reward_server() as (url, _):
        for size_mb in (16, 63):
            for shape, body in bodies(size_mb).items():
                content = json.dumps(body).encode()
                for path in ("/score/verifier", "/score/flip?flip_prob=0.4", "/score/rpr"):
                    measured = [longest_wait_ms(url, path, content) for _ in range(rounds)]
                    waits = ", ".join(f"{wait:.0f}" for wait, _ in measured)
                    seconds = ", ".join(f"{taken:.1f}" for _, taken in measured)
                    lines.append([f"{size_mb} MiB, {shape}", path, waits, seconds])
                    rows.append({"body": f"{size_mb} MiB, {shape}", "path": path, "measured": measured})
    show("Event loop", ["body", "reward", "longest wait, ms (each round)", "answered after, s"], lines)
    record(output, "event loop", {"rows": rows})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, help="append the figures to this JSONL file")
    arguments = parser.parse_args()
    main(arguments.output, arguments.rounds)
