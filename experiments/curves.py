"""Curves of held-out accuracy: read from the results of runs, put into a table, drawn."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from experiments.plots import End, name_lines

Curves = Mapping[str, NDArray[np.float64]]
"""By arm: accuracies [seeds, evaluations]."""

COLUMNS = ("reward", "start", "peak", "final, each seed", "final", "mean over the run")


def read(folder: Path, arms: Iterable[str]) -> Curves:
    """The curves of every arm that has a run; of seeds with fewer evaluations than another only what all have."""
    results: list[dict[str, Any]] = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    curves: dict[str, NDArray[np.float64]] = {}
    for name in arms:
        runs = sorted((result for result in results if result["arm"] == name), key=lambda result: int(result["seed"]))
        if runs:
            shortest = min(len(run["evaluations"]) for run in runs)
            curves[name] = np.array([[accuracy for _, accuracy in run["evaluations"][:shortest]] for run in runs])
    return curves


def area(curve: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of the evaluations of each seed."""
    mean: NDArray[np.float64] = curve.mean(axis=1)
    return mean


def row(name: str, curves: NDArray[np.float64]) -> list[str]:
    """Cells in percent; start, peak and the one final are those of the mean curve."""
    percent = 100 * curves
    finals, mean = percent[:, -1], percent.mean(axis=0)
    start, peak, final = (f"{value:.1f}" for value in (mean[0], mean.max(), mean[-1]))
    return [name, start, peak, ", ".join(f"{value:.1f}" for value in finals), final, f"{area(percent).mean():.1f}"]


def show(found: Curves, console: Console) -> None:
    """Prints the table, and its lines as Markdown for docs/experiment.md."""
    table = Table(*COLUMNS, title="held-out accuracy, %")
    lines = [row(name, curves) for name, curves in found.items()]
    for line in lines:
        table.add_row(*line)
    console.print(table)
    console.print("\n".join("| " + " | ".join(line) + " |" for line in lines), soft_wrap=True, markup=False)


def draw(
    found: Curves,
    path: Path,
    panels: Mapping[str, Sequence[str]],
    colors: Mapping[str, str],
    every: int = 10,
    named: Callable[[str], str] = str,
) -> None:
    """Panels side by side, from four on in two rows. Of each arm the mean over its seeds, a band from the lowest to the
    highest, and its name at the end.

    `panels`: title and arms. `colors`: by an arm's name. `every`: steps between evaluations. `named`: an arm's name to
    what stands at its line.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    pyplot.rcParams.update({"font.size": 13, "axes.titlesize": "medium"})  # a page shows it at half its width
    rows = 1 if len(panels) <= 3 else 2
    columns = -(-len(panels) // rows)
    figure, axes = pyplot.subplots(
        rows, columns, figsize=(12.5, 4.4 * rows), sharey=True, layout="constrained", squeeze=False
    )
    for axis in axes.flat[len(panels) :]:
        axis.set_visible(False)
    for axis, (title, names) in zip(axes.flat, panels.items(), strict=False):
        ends = []
        for name in (name for name in names if name in found):
            curves, color = found[name], colors[name]
            steps, mean = every * np.arange(curves.shape[1]), curves.mean(axis=0)
            axis.fill_between(steps, curves.min(axis=0), curves.max(axis=0), color=color, alpha=0.13, linewidth=0)
            axis.plot(steps, mean, color=color, linewidth=2)
            ends.append(End(steps[-1], mean[-1], named(name), color))
        name_lines(axis, ends)
        axis.set(title=title, xlabel="GRPO step", ylim=(0, 1.02))
        axis.margins(x=0)
        axis.spines[["top", "right"]].set_visible(False)
    for axis in axes[:, 0]:
        axis.set_ylabel("held-out accuracy")
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
