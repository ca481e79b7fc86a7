"""The table and the picture of all runs that are there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

DRAWN = ("p=0", "p=0.4", "rpr")
SMOOTH = 5
"""Steps of the running mean."""


def report(folder: Path) -> bool:
    """Prints the table, writes `report.md` and `curves.png` into the folder. True when everything passes."""
    results = [json.loads(path.read_text()) for path in sorted(folder.glob("*/result.json"))]
    table = Table("run", "what", "found", "passes")
    for result in results:
        for finding in result["findings"]:
            table.add_row(result["name"], finding["name"], finding["text"], "yes" if finding["passes"] else "NO")
        table.add_section()
    Console().print(table)
    lines = ["| run | what | found | passes |", "|---|---|---|---|"]
    lines += [
        f"| {result['name']} | {each['name']} | {each['text']} | {'yes' if each['passes'] else '**no**'} |"
        for result in results
        for each in result["findings"]
    ]
    (folder / "report.md").write_text("\n".join(lines) + "\n")
    drawn = [result for name in DRAWN for result in results if result["name"] == name]
    if drawn:
        draw(drawn, folder / "curves.png")
    return bool(results) and all(each["passes"] for result in results for each in result["findings"])


def draw(results: list[dict[str, Any]], path: Path) -> None:
    """Left what was paid, right what was true of the same rollouts, with the evaluations as dots."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
    for result in results:
        curves = result["curves"]
        for axis, name in zip(axes, ("reward", "clean"), strict=True):
            (line,) = axis.plot(_smooth(curves[name]), label=result["name"])
        if curves["evaluations"] and result["name"] != "rpr":
            steps, scores = np.array(curves["evaluations"]).T
            axes[1].plot(steps, scores, "o", markersize=4, color=line.get_color())
    axes[0].set(title="reward that was paid", xlabel="OpenRLHF step, 128 rollouts each", ylabel="mean", ylim=(0, 1))
    axes[1].set(title="share of right answers (dots: evaluation)", xlabel="OpenRLHF step, 128 rollouts each")
    axes[1].legend()
    figure.savefig(path, dpi=80)
    pyplot.close(figure)


def _smooth(values: list[float]) -> Any:
    """Running means of up to SMOOTH values before each."""
    return [np.mean(values[max(0, n - SMOOTH + 1) : n + 1]) for n in range(len(values))]
