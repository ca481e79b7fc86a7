"""How latency and memory grow: with the batch, with the completion, with distinct answers, with answers made to hang.

Each of the first three asks a fresh server a few times, one request at a time: the median of the latencies, and the
most memory that the server and its workers ever held. The last sends single samples at half of the measured capacity,
of which a share are bombs, each another one: what do the ordinary ones wait? `--plots docs` writes a PNG each.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.answers import bomb, native, ordinary
from benchmarks.open_loop import Load
from benchmarks.processes import peak_mb, reward_server, tree
from benchmarks.rollouts import reasoning
from benchmarks.rounds import record, show
from benchmarks.wire import Connection, percentile, raise_file_limit

BATCHES = (1, 8, 64, 512, 4096)
LENGTHS = (1_000, 10_000, 100_000, 1_000_000)
DISTINCT = (4, 16, 64, 512)
"""From 4 on: `ordinary` has four forms in turn."""
BOMB_SHARES = (0.0, 0.001, 0.01, 0.1)
SOFT_BUDGET_S = 2.0
PATHS = ("/score/verifier", "/score/rpr")
Point = dict[str, Any]


def ask(path: str, bodies: Sequence[Mapping[str, object]]) -> Point:
    """One request after the other to a fresh server."""
    with reward_server() as (url, pid):
        connection = Connection(url)

        async def post_all() -> list[float]:
            answers = [await connection.post(path, json.dumps(body).encode()) for body in bodies]
            if any(answer.status != 200 for answer in answers):
                raise AssertionError(answers[0].body)
            return [answer.seconds for answer in answers]

        seconds = asyncio.run(post_all())
        memory = sum(map(peak_mb, tree(pid)))
    return {"path": path, "seconds": statistics.median(seconds), "all": seconds, "peak_mb": memory}


def by_batch() -> list[Point]:
    """Completions of 1,000 characters whose answers need no worker."""
    text = reasoning(np.random.default_rng(1), 1000)
    bodies = {
        n: {"completions": [f"{k}{text}\\boxed{{{k}}}" for k in range(n)], "ground_truths": ["7"] * n} for n in BATCHES
    }
    return [{"x": n, **ask(path, [bodies[n]] * 5)} for path in PATHS for n in BATCHES]


def by_length() -> list[Point]:
    """One completion."""
    texts = {length: reasoning(np.random.default_rng(1), length) + "\\boxed{7}" for length in LENGTHS}
    bodies = {length: {"completions": [text], "ground_truths": ["7"]} for length, text in texts.items()}
    return [{"x": length, **ask(path, [bodies[length]] * 5)} for path in PATHS for length in LENGTHS]


def by_distinct() -> list[Point]:
    """512 samples a request that only a worker can grade, of so many different answers; three new requests."""
    return [
        {"x": n, **ask(PATHS[0], [native(ordinary(512 * r + k % n) for k in range(512)) for r in range(3)])}
        for n in DISTINCT
    ]


def by_bombs(seconds: float) -> list[Point]:
    """Single samples that only a worker can grade, open loop; a share of them uses its whole budget."""
    with reward_server() as (url, _):
        numbers = count()
        load = Load(url, PATHS[0], lambda: _single(ordinary(next(numbers))), samples=1)
        capacity = asyncio.run(load.capacity(min(10, seconds)))
    return [{"x": share, **asyncio.run(_mixed(share, capacity / 2, seconds))} for share in BOMB_SHARES]


async def _mixed(share: float, rate: float, seconds: float) -> Point:
    with reward_server() as (url, pid):
        numbers = count()
        ordinary_ones = Load(url, PATHS[0], lambda: _single(ordinary(next(numbers))), samples=1)
        bombs = Load(url, PATHS[0], lambda: _single(bomb(next(numbers))), samples=1, reward=0.0)
        fates, exploded = await asyncio.gather(
            ordinary_ones.at_rate(rate * (1 - share), seconds), bombs.at_rate(rate * share, seconds)
        )
        memory = sum(map(peak_mb, tree(pid)))
    waits = [fate.seconds for fate in fates]
    return {
        "rate": rate,
        "ordinary": len(fates),
        "bad": dict(Counter(fate.kind for fate in fates if fate.kind != "answered")),
        "bombs": dict(Counter(fate.kind for fate in exploded)),
        "p50_s": percentile(waits, 0.5),
        "p99_s": percentile(waits, 0.99),
        "peak_mb": memory,
    }


def _listed(kinds: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items())) or "0"


def _single(pair: tuple[str, str]) -> bytes:
    return json.dumps(native([pair])).encode()


def plot(name: str, title: str, axis: str, points: list[Point], folder: Path) -> None:
    """Latency on the left axis, memory on the right one, a line a path."""
    matplotlib = import_module("matplotlib")
    matplotlib.use("Agg")
    plt = import_module("matplotlib.pyplot")
    figure, left = plt.subplots(figsize=(6, 3.4), dpi=90)
    right = left.twinx()
    for path in dict.fromkeys(point["path"] for point in points):
        of = [point for point in points if point["path"] == path]
        x = [point["x"] for point in of]
        (line,) = left.plot(x, [point["seconds"] for point in of], marker="o", label=path)
        right.plot(x, [point["peak_mb"] for point in of], linestyle=":", marker=".", color=line.get_color())
    left.set(xscale="log", yscale="log", xlabel=axis, ylabel="latency, s (solid)", title=title)
    right.set(ylabel="peak memory, MiB (dotted)", ylim=(0, None))
    left.legend(fontsize="small")
    figure.tight_layout()
    figure.savefig(folder / f"cost-{name}.png")
    plt.close(figure)


def plot_bombs(points: list[Point], folder: Path) -> None:
    """What ordinary samples wait, beside the soft budget."""
    matplotlib = import_module("matplotlib")
    matplotlib.use("Agg")
    plt = import_module("matplotlib.pyplot")
    figure, axes = plt.subplots(figsize=(6, 3.4), dpi=90)
    names = [f"{point['x']:.1%}" for point in points]
    axes.plot(names, [point["p50_s"] for point in points], marker="o", label="p50")
    axes.plot(names, [point["p99_s"] for point in points], marker="o", label="p99")
    axes.axhline(SOFT_BUDGET_S, color="grey", linestyle="--", label="soft budget of a bomb")
    axes.set(yscale="log", xlabel="share of bombs", ylabel="latency of ordinary samples, s", title="Bombs")
    axes.legend(fontsize="small")
    figure.tight_layout()
    figure.savefig(folder / "cost-bombs.png")
    plt.close(figure)


GROWTH: dict[str, tuple[str, str, Callable[[], list[Point]]]] = {
    "batch": ("Batch size", "completions of 1,000 characters in a request", by_batch),
    "length": ("Completion length", "characters of one completion", by_length),
    "distinct": ("Distinct answers", "different answers among 512 that need a worker", by_distinct),
}


def main(output: Path | None = None, plots: Path | None = None, seconds: float = 40) -> None:
    """Measures, prints the tables, draws."""
    raise_file_limit()
    figures: dict[str, list[Point]] = {}
    for name, (title, axis, measure) in GROWTH.items():
        points = figures[name] = measure()
        lines = [[p["x"], p["path"], f"{1000 * p['seconds']:.1f}", p["peak_mb"]] for p in points]
        show(f"Cost: {title.lower()}", [axis, "path", "latency, ms", "peak memory, MiB"], lines)
        if plots:
            plot(name, title, axis, points, plots)
    points = figures["bombs"] = by_bombs(seconds)
    lines = [
        [
            f"{p['x']:.1%}",
            p["ordinary"],
            _listed(p["bad"]),
            _listed(p["bombs"]),
            f"{p['p50_s']:.3f}",
            f"{p['p99_s']:.3f}",
            p["peak_mb"],
        ]
        for p in points
    ]
    header = ["share of bombs", "ordinary samples", "of them not right", "bombs", "ordinary p50 s", "ordinary p99 s"]
    show(f"Cost: answers made to hang, {points[0]['rate']:.0f} samples/s", [*header, "peak memory, MiB"], lines)
    if plots:
        plot_bombs(points, plots)
    record(output, "cost", figures)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=40, help="length of each load with bombs (default: 40)")
    parser.add_argument("--plots", type=Path, help="folder for the PNGs (make bench-cost has matplotlib)")
    parser.add_argument("--output", type=Path, help="append the figures to this JSONL file")
    arguments = parser.parse_args()
    main(arguments.output, arguments.plots, arguments.seconds)
