"""What recording costs: the CPU time of the server's process tree with `record_dir` and without, in turns.

One-sample requests, over connections that are kept alive, and batches of 1,024 as in `benchmarks.verifier`. Of both
there are requests in which each text comes once, and the same few again and again, so that every verdict is one that
was kept: the cheapest sample there is. Each run of a server writes into a folder of its own, and its time ends
when the queue is written.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.processes import reward_server, thread_seconds, tree
from benchmarks.rollouts import make_rollouts
from benchmarks.rounds import Cost, report, take_turns
from benchmarks.single_requests import WARM_UP, load

QUESTIONS = 64
BATCH = 128
"""Questions of a batch, 8 completions each."""
WRITTEN_S = 0.5
"""After the last answer the thread has so long to write what is left: it sleeps for 0.05 s at most."""


def measure(path: str, bodies: Sequence[bytes], warm_up: int, units: int, is_on: bool) -> Cost:
    """CPU seconds of the server's process tree for all bodies, after a warm-up."""
    with TemporaryDirectory() as folder:
        options = ("--record-dir", folder) if is_on else ()
        with reward_server("--log-level", "warning", *options) as (url, pid):
            load(url, path, list(bodies[:warm_up]), is_fresh=False)
            time.sleep(WRITTEN_S)
            cpu, wall = _cpu_seconds(pid), time.perf_counter()
            load(url, path, list(bodies), is_fresh=False)
            took = time.perf_counter() - wall
            time.sleep(WRITTEN_S)
            cpu = _cpu_seconds(pid) - cpu
        if is_on and sum(_lines(file) for file in Path(folder).glob("*/*.jsonl")) < units:
            raise AssertionError("not every sample was recorded")
    return Cost(cpu, took, units)


def _cpu_seconds(pid: int) -> float:
    """Of the process and its children, in ns steps: what recording adds is less than the ticks of ten runs."""
    return sum(map(thread_seconds, tree(pid)))


def _lines(file: Path) -> int:
    with file.open("rb") as opened:
        return sum(1 for _ in opened)


def singles(requests: int, is_new: bool) -> list[bytes]:
    """Bodies of one sample; `is_new`: each text once, else a few again and again, whose answers are integers."""
    rollouts = make_rollouts(requests // 8 if is_new else QUESTIONS)
    truths = rollouts.ground_truths
    chosen = [k for k, truth in enumerate(truths) if is_new or truth.isdigit()]
    rows = [{"completions": [rollouts.completions[k]], "ground_truths": [truths[k]]} for k in chosen]
    return [json.dumps(rows[k % len(rows)]).encode() for k in range(requests)]


def batches(count: int, is_new: bool) -> list[bytes]:
    """Bodies of 1,024 samples, as a trainer sends them; `is_new`: each with questions of its own."""
    rollouts = make_rollouts(BATCH * count if is_new else BATCH)
    bodies = []
    for number in range(count):
        rows = slice(8 * BATCH * number, 8 * BATCH * (number + 1)) if is_new else slice(None)
        columns = {
            "completions": rollouts.completions[rows],
            "ground_truths": rollouts.ground_truths[rows],
            "groups": [f"q-{row // 8}" for row in range(8 * BATCH)],
            "visits": [number] * (8 * BATCH),
        }
        bodies.append(json.dumps(columns).encode())
    return bodies


def main(output: Path | None = None, requests: int = 8000, rounds: int = 3) -> None:
    """Measures and prints the tables."""
    count = max(3, requests // 1000)
    verifier, flip = "/score/verifier", "/score/flip?flip_prob=0.4"
    loads = {
        f"{requests} one-sample requests, each text once": (verifier, singles(requests, True), 0, requests),
        f"{requests} one-sample requests, every verdict kept": (verifier, singles(requests, False), WARM_UP, requests),
        f"{count} batches of 1,024, each question once": (flip, batches(count, True), 0, 8 * BATCH * count),
        f"{count} batches of 1,024, every verdict kept": (flip, batches(count, False), 2, 8 * BATCH * count),
    }
    for title, (path, bodies, warm_up, units) in loads.items():
        contenders = {
            "without record_dir": partial(measure, path, bodies, warm_up, units, is_on=False),
            "with record_dir": partial(measure, path, bodies, warm_up, units, is_on=True),
        }
        costs = take_turns(contenders, rounds)
        report(f"{title}, completions of about 6,000 characters", costs, "without record_dir", output)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=8000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, help="append the figures to this JSONL file")
    arguments = parser.parse_args()
    main(arguments.output, arguments.requests, arguments.rounds)
