"""The picture and the table of all results that are there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from experiments.lm.arms import ARMS

Result = dict[str, Any]


def report(folder: Path, plot: Path) -> None:
    """Prints the table of all runs in the folder, also as Markdown for docs/experiment.md, and draws their curves."""
    results = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    arms = {name: [result for result in results if result["arm"] == name] for name in ARMS}
    lines = [row(name, found) for name, found in arms.items() if found]
    table = Table(
        "reward", "start", "peak", "final, each seed", "mean", "paper, MATH-500", title="held-out accuracy, %"
    )
    for line in lines:
        table.add_row(*line)
    Console().print(table)
    Console().print("\n".join("| " + " | ".join(line) + " |" for line in lines), soft_wrap=True, markup=False)
    draw({name: found for name, found in arms.items() if found}, plot)
    Console().print(f"{len(results)} runs; the picture is {plot}")


def row(name: str, results: list[Result]) -> list[str]:
    """Cells in percent; the peak is the highest of all evaluations of all seeds."""
    curves = [[100 * accuracy for _, accuracy in result["evaluations"]] for result in results]
    finals = [curve[-1] for curve in curves]
    cells = [f"{np.mean([curve[0] for curve in curves]):.1f}", f"{max(map(max, curves)):.1f}"]
    return [name, *cells, ", ".join(f"{final:.1f}" for final in finals), f"{np.mean(finals):.1f}", ARMS[name].paper]


def draw(arms: dict[str, list[Result]], path: Path) -> None:
    """Accuracy by step: the mean over the seeds, thick, and each seed, thin."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
    for name, results in arms.items():
        axis = axes[0 if name.startswith("p=") else 1]
        color = None
        for result in results:
            steps, accuracies = np.array(result["evaluations"]).T
            if len(results) > 1:
                (line,) = axis.plot(steps, accuracies, linewidth=0.7, alpha=0.5, color=color)
                color = line.get_color()
        mean = np.mean([np.array(result["evaluations"])[:, 1] for result in results], axis=0)
        axis.plot(steps, mean, linewidth=2, label=name, color=color)
    for axis, title in zip(axes, ("verifier, flipped with probability p", "other rewards"), strict=True):
        axis.set(title=title, xlabel="GRPO step, 128 samples each", ylim=(0, 1))
        if axis.has_data():
            axis.legend(fontsize="small")
    axes[0].set_ylabel("accuracy on 430 held-out questions")
    figure.savefig(path, dpi=80)
    pyplot.close(figure)
