"""Taking turns: A, B, A, B, …, so that a machine that slows down slows everybody down; then medians and ranges."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table


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
    """Prints a table with the ratio of each contender's CPU time to the reference's, and appends it all as JSON."""
    table = Table("contender", "CPU ms a sample", "range", "wall ms a sample", "CPU, ratio", title=title)
    base = statistics.median(cost.cpu_s / cost.units for cost in costs[reference])
    rows = {}
    for name, runs in costs.items():
        cpu = [1000 * cost.cpu_s / cost.units for cost in runs]
        wall = [1000 * cost.wall_s / cost.units for cost in runs]
        ratio = statistics.median(cpu) / (1000 * base)
        rows[name] = {"cpu_ms": cpu, "wall_ms": wall, "cpu_ratio": ratio}
        span = f"{min(cpu):.3f} … {max(cpu):.3f}"
        table.add_row(name, f"{statistics.median(cpu):.3f}", span, f"{statistics.median(wall):.3f}", f"{ratio:.2f}")
    Console(width=120).print(table)
    if output:
        with output.open("a") as file:
            file.write(json.dumps({"title": title, "reference": reference, "rows": rows, **machine()}) + "\n")


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
