"""A quarter of an hour at 80 % of the measured capacity: is anything growing, is anything getting slower?

Requests are groups of 8 answers that only a worker can grade, no two the same; one in ten comes on a connection of its
own. The cache of verdicts is small here, so that it is full early: a filling cache would look like a leak. Slopes are
of the second half of the time, since the workers' caches fill for some minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.open_loop import SAMPLES, Fate, Load, Requests
from benchmarks.processes import memory_mb, open_files, reward_server, threads, tree
from benchmarks.rounds import record, show
from benchmarks.wire import percentile, raise_file_limit

SHARE = 0.8
POINTS = 60
OPTIONS = ("--verdict-cache-size", "1024")


@dataclass(frozen=True)
class Point:
    """What the server held at a moment; memory in MiB."""

    at_s: float
    server_mb: float
    workers_mb: float
    processes: int
    threads: int
    open_files: int


def look(pid: int, begin: float) -> Point:
    """Reads it from /proc."""
    server, *workers = tree(pid)
    return Point(
        time.perf_counter() - begin,
        memory_mb(server),
        sum(memory_mb(worker) for worker in workers),
        1 + len(workers),
        threads(server),
        open_files(server),
    )


async def watch(pid: int, begin: float, seconds: float) -> list[Point]:
    """A point every sixtieth of the time."""
    points = []
    for number in range(POINTS):
        await asyncio.sleep(max(0.0, begin + (number + 1) * seconds / POINTS - time.perf_counter()))
        points.append(look(pid, begin))
    return points


async def run(url: str, pid: int, rate: float, seconds: float) -> tuple[list[Fate], list[Point], Point]:
    """The fates of all requests, the points, and one more when everything was answered and all connections closed."""
    begin = time.perf_counter()
    body = Requests().body
    kept = Load(url, "/score/verifier", body)
    fresh = Load(url, "/score/verifier", body, is_fresh=True)
    points, *fates = await asyncio.gather(
        watch(pid, begin, seconds), kept.at_rate(0.9 * rate, seconds), fresh.at_rate(0.1 * rate, seconds)
    )
    kept.close()
    await asyncio.sleep(2)  # for the server to notice that the connections are closed
    return sorted((fate for of in fates for fate in of), key=lambda fate: fate.due_at), points, look(pid, begin)


def slope_an_hour(points: list[Point], field: str) -> float:
    """Growth of a field, by a straight line through the second half."""
    late = points[len(points) // 2 :]
    values = [float(getattr(point, field)) for point in late]
    return float(np.polyfit([point.at_s for point in late], values, 1)[0]) * 3600


def main(output: Path | None = None, seconds: float = 900, capacity_s: float = 15) -> None:
    """Measures and prints the tables."""
    raise_file_limit()
    with reward_server(*OPTIONS) as (url, _):
        capacity = asyncio.run(Load(url, "/score/verifier", Requests().body).capacity(capacity_s))
    with reward_server(*OPTIONS) as (url, pid):
        before = look(pid, time.perf_counter())
        fates, points, after = asyncio.run(run(url, pid, SHARE * capacity, seconds))
    kinds = Counter(fate.kind for fate in fates)
    title = f"Sustained: {seconds / 60:.3g} minutes at {SHARE:.0%} of {capacity * SAMPLES:.0f} samples/s"
    fifth = len(fates) // 5
    lines = [_latency("first fifth", fates[:fifth]), _latency("last fifth", fates[-fifth:])]
    show(title, ["latency of a group", "p50 s", "p99 s", "longest s"], lines)
    fields = ["server_mb", "workers_mb", "processes", "threads", "open_files"]
    held: list[dict[str, Any]] = [asdict(point) for point in (before, points[len(points) // 2], points[-1], after)]
    table = [[field, *(point[field] for point in held), f"{slope_an_hour(points, field):.1f}"] for field in fields]
    show("What the server holds", ["", "before", "after half", "at the end", "idle again", "slope an hour"], table)
    print(f"\n{len(fates)} requests: {dict(kinds)}", flush=True)
    figures = {"capacity": capacity * SAMPLES, "fates": kinds, "points": list(map(asdict, points))}
    record(output, "sustained", {**figures, "latency": lines, "before": held[0], "after": held[-1]})


def _latency(name: str, fates: list[Fate]) -> list[str]:
    seconds = [fate.seconds for fate in fates]
    return [name, *(f"{percentile(seconds, share):.3f}" for share in (0.5, 0.99, 1.0))]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=900, help="length of the load (default: 900)")
    parser.add_argument("--capacity-seconds", type=float, default=15, help="for measuring the capacity (default: 15)")
    parser.add_argument("--output", type=Path, help="append the figures to this JSONL file")
    arguments = parser.parse_args()
    main(arguments.output, arguments.seconds, arguments.capacity_seconds)
