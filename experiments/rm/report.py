"""The tables and the picture of the runs that are there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from experiments.lm.arms import JUDGE_ARMS
from experiments.plots import End, name_lines
from experiments.rm.passes import Curves, area, passes

PANELS = {
    "Judges of 60, 65 and 85 %": ("clean", "60 %", "65 %", "85 %"),
    "The same, calibrated with RPR": ("clean", "60 % + RPR", "65 % + RPR", "85 % + RPR"),
    "RPR without a judge": ("RPR alone", "constant + RPR"),
}
COLORS = {"clean": "0.45", "60": "#c0392b", "65": "#d98c00", "85": "#2471a3", "RPR": "#7d3c98", "constant": "#148f77"}


def report(folder: Path, plot: Path) -> bool:
    """Prints each arm's figures and each pass, draws the curves. True where all passes hold; False while arms lack."""
    found = read(folder)
    console = Console()
    table = Table(
        "reward", "start", "peak", "final, each seed", "final", "mean over the run", title="held-out accuracy, %"
    )
    lines = [row(name, curves) for name, curves in found.items()]
    for line in lines:
        table.add_row(*line)
    console.print(table)
    console.print("\n".join("| " + " | ".join(line) + " |" for line in lines), soft_wrap=True, markup=False)
    draw(found, plot)
    console.print(f"{sum(map(len, found.values()))} runs; the picture is {plot}")
    if missing := [name for name in JUDGE_ARMS if name not in found]:
        console.print(f"the passes need all arms; these have no run yet: {', '.join(missing)}")
        return False
    held = passes(found)
    for each in held:
        figures = ", ".join(f"{figure:+.3f}" for figure in each.figures)
        console.print(f"{'holds' if each.holds else 'FAILS'}: {each.sentence}: {figures}")
    return all(each.holds for each in held)


def read(folder: Path) -> Curves:
    """The curves of every arm that has a run; of seeds with fewer evaluations than another only what all have."""
    results: list[dict[str, Any]] = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    curves: dict[str, NDArray[np.float64]] = {}
    for name in JUDGE_ARMS:
        runs = sorted((result for result in results if result["arm"] == name), key=lambda result: int(result["seed"]))
        if runs:
            shortest = min(len(run["evaluations"]) for run in runs)
            curves[name] = np.array([[accuracy for _, accuracy in run["evaluations"][:shortest]] for run in runs])
    return curves


def row(name: str, curves: NDArray[np.float64]) -> list[str]:
    """Cells in percent; the peak is that of the mean curve."""
    percent = 100 * curves
    finals, mean = percent[:, -1], percent.mean(axis=0)
    start, peak, final = (f"{value:.1f}" for value in (mean[0], mean.max(), mean[-1]))
    return [name, start, peak, ", ".join(f"{value:.1f}" for value in finals), final, f"{area(percent).mean():.1f}"]


def draw(found: Curves, path: Path, every: int = 10) -> None:
    """Three panels: the mean over the seeds, a band from the lowest to the highest, and the name at the line's end."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 3, figsize=(12, 4), sharey=True, layout="constrained")
    for axis, (title, names) in zip(axes, PANELS.items(), strict=True):
        ends = []
        for name in (name for name in names if name in found):
            curves, color = found[name], COLORS[name.split(" ")[0]]
            steps, mean = every * np.arange(curves.shape[1]), curves.mean(axis=0)
            axis.fill_between(steps, curves.min(axis=0), curves.max(axis=0), color=color, alpha=0.13, linewidth=0)
            axis.plot(steps, mean, color=color, linewidth=2)
            ends.append(End(steps[-1], mean[-1], name, color))
        name_lines(axis, ends)
        axis.set(title=title, xlabel="GRPO step, 128 samples each", ylim=(0, 1.02))
        axis.margins(x=0)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("held-out accuracy")
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
