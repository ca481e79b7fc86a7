"""Taking turns: A, B, A, B, …, so that a machine that slows down slows everybody down; then medians and ranges."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from rich.console import Console


@dataclass(frozen=True)
class Cost:
    """What one run of one contender took for `units` samples."""

    cpu_s: float
    wall_s: float
    units: int


def take_turns(contenders: Mapping[str, Callable[[], Cost]], rounds: int) -> dict[str, list[Cost]]:
    """The costs of each contender, one entry a round."""
    costs: dict[str, list[Cost]] = {name: [] for name in contenders}
    for number in range(rounds):
        for name, run in contenders.items():
            Console(stderr=True).print(f"  round {number + 1}/{rounds}: {name}")
            costs[name].append(run())
    return costs


def report(title: str, costs: Mapping[str, list[Cost]], reference: str, output: Path | None) -> None:
    """A table with the ratio of each contender's CPU time to the reference's; all the rounds go to `output`."""
    base = statistics.median(cost.cpu_s / cost.units for cost in costs[reference])
    rows, lines = {}, []
    for name, runs in costs.items():
        cpu = [1000 * cost.cpu_s / cost.units for cost in runs]
        wall = [1000 * cost.wall_s / cost.units for cost in runs]
        ratio = statistics.median(cpu) / (1000 * base)
        rows[name] = {"cpu_ms": cpu, "wall_ms": wall, "cpu_ratio": ratio}
        span = f"{statistics.median(cpu):.3f} [{min(cpu):.3f} … {max(cpu):.3f}]"
        lines.append([name, span, f"{statistics.median(wall):.3f}", f"{ratio:.3g}"])
    show(title, ["contender", "CPU ms a sample", "wall ms a sample", "CPU, ratio"], lines)
    record(output, title, {"reference": reference, "rows": rows})


def show(title: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Prints a Markdown table, as it goes into docs/performance.md."""
    lines = [header, ["---"] * len(header), *rows]
    print(f"\n### {title}\n", *(f"| {' | '.join(map(str, line))} |" for line in lines), sep="\n", flush=True)


def record(output: Path | None, title: str, figures: Mapping[str, object]) -> None:
    """Appends the figures, with the machine and the versions, as a line of JSON."""
    if output:
        with output.open("a") as file:
            file.write(json.dumps({"title": title, **figures, **machine()}) + "\n")


def machine() -> dict[str, object]:
    """Date, processor, versions: what a figure is worth nothing without."""
    cpu = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), "")
    packages = ("reward-server", "fastapi", "uvicorn", "math-verify", "sympy")
    return {
        "date": time.strftime("%Y-%m-%d"),
        "processor": cpu.partition(":")[2].strip(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "versions": {package: version(package) for package in packages},
    }
