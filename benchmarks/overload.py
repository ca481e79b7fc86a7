"""More than can be done: 1, 2, 5 and 10 times the measured capacity, sent whatever becomes of it.

Requests are groups of 8 answers that only a worker can grade. The bound of the queue is 10 s of capacity. Goodput:
right answers within 30 s, by the second. Then the load stops: how long until a new request is answered again? And a
client that gives up after a second and asks again: is anything graded twice?
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from benchmarks.answers import native, ordinary
from benchmarks.open_loop import CALLERS, SAMPLES, Fate, Load, Requests
from benchmarks.processes import reward_server
from benchmarks.rounds import record, show
from benchmarks.wire import Connection, percentile, raise_file_limit

FACTORS = (1, 2, 5, 10)
KINDS = ("answered", "refused", "gave_up", "failed", "wrong")
BOUND_S = 10


async def phase(url: str, load: Load, rate: float, seconds: float, usual_s: float) -> dict[str, Any]:
    """One load, and how long the server needs to be itself again, `usual_s` being its latency at capacity."""
    begin = time.perf_counter()
    sending = asyncio.create_task(load.at_rate(rate, seconds))
    await asyncio.sleep(seconds)
    recovery_s = await _recovered_at(url, 2 * usual_s) - begin - seconds
    fates = await sending
    goodput = sum(fate.kind == "answered" and fate.due_at + fate.seconds <= begin + seconds for fate in fates)
    kinds = {kind: sum(fate.kind == kind for fate in fates) for kind in KINDS}
    return {
        "offered": rate * SAMPLES,
        "goodput": goodput * SAMPLES / seconds,
        **kinds,
        "answered_p99_s": _p99(fates, "answered"),
        "refused_p99_s": _p99(fates, "refused"),
        "recovery_s": recovery_s,
    }


def _p99(fates: list[Fate], kind: str) -> float | None:
    seconds = [fate.seconds for fate in fates if fate.kind == kind]
    return percentile(seconds, 0.99) if seconds else None


async def _recovered_at(url: str, within_s: float) -> float:
    """When a new request is answered within so many seconds."""
    probe = Load(url, "/score/verifier", Requests("y").body)
    while True:
        fate = await probe.one()
        if fate.kind == "answered" and fate.seconds < within_s:
            return fate.due_at + fate.seconds
        await asyncio.sleep(0.1)


async def impatient(url: str) -> dict[str, Any]:
    """A group of 400 new answers from a client that waits 1 s and asks again; how often each was graded."""
    body = json.dumps(native(ordinary(k, "z") for k in range(400))).encode()
    before = await _graded(url)
    tries = 0
    while True:
        tries += 1
        connection = Connection(url)
        try:
            async with asyncio.timeout(1):
                answer = await connection.post("/score/verifier", body)
        except TimeoutError:
            connection.close()
            continue
        if answer.status == 200:
            return {"tries": tries, "graded": await _graded(url) - before, "samples": 400}


async def _graded(url: str) -> int:
    """Answers that the server took for new so far."""
    page = await asyncio.to_thread(lambda: urlopen(url + "/metrics").read().decode())
    line = next(line for line in page.splitlines() if 'verdict_cache_total{result="miss"}' in line)
    return int(float(line.split()[-1]))


def main(output: Path | None = None, seconds: float = 60, capacity_s: float = 15) -> None:
    """Measures and prints the tables."""
    raise_file_limit()
    with reward_server() as (url, _):
        capacity = asyncio.run(Load(url, "/score/verifier", Requests().body).capacity(capacity_s))
    rows = []
    for factor in FACTORS:  # a fresh server each: nothing is known from the load before
        with reward_server("--max-pending-samples", str(max(64, int(BOUND_S * capacity * SAMPLES)))) as (url, _):
            load = Load(url, "/score/verifier", Requests().body)
            rows.append(
                {"factor": factor, **asyncio.run(phase(url, load, factor * capacity, seconds, CALLERS / capacity))}
            )
            retries = asyncio.run(impatient(url))
    best = max(row["goodput"] for row in rows)
    header = ["load", "offered, samples/s", "goodput, samples/s", "of the best", "answered", "refused", "gave up"]
    lines = [
        [f"{row['factor']} x", f"{row['offered']:.0f}", f"{row['goodput']:.0f}", f"{row['goodput'] / best:.0%}"]
        + [row[kind] for kind in KINDS]
        + ["" if row[key] is None else f"{row[key]:.2f}" for key in ("answered_p99_s", "refused_p99_s", "recovery_s")]
        for row in rows
    ]
    header += ["failed", "wrong", "answered p99 s", "refused p99 s", "recovered after s"]
    show(f"Overload; capacity {capacity * SAMPLES:.0f} samples/s", header, lines)
    print(f"\nA client that gives up after 1 s and asks again: {retries}", flush=True)
    record(output, "overload", {"capacity": capacity * SAMPLES, "rows": rows, "retries": retries})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="length of each load (default: 60)")
    parser.add_argument("--capacity-seconds", type=float, default=15, help="for measuring the capacity (default: 15)")
    parser.add_argument("--output", type=Path, help="append the figures to this JSONL file")
    arguments = parser.parse_args()
    main(arguments.output, arguments.seconds, arguments.capacity_seconds)
