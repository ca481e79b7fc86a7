"""The picture and the table of all results that are there."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from experiments.curves import draw, read, show
from experiments.lm.arms import ARMS

LONG = "500 steps"
PANELS = {
    "Random flips, 16 questions × 8": ("p=0", "p=0.2", "p=0.4", "p=0.5"),
    "The same, 64 questions × 4": tuple(name for name in ARMS if "64 x 4" in name and LONG not in name),
    "The same for 500 steps, clipped": tuple(name for name in ARMS if LONG in name),
    "RPR, and a reward model": ("p=0", "RPR only", "RM", "RM + RPR"),
}
COLORS = {
    "p=0": "0.45",
    "p=0.2": "#2471a3",
    "p=0.4": "#d98c00",
    "p=0.5": "#c0392b",
    "p=0, 64 x 4": "0.45",
    "p=0.4, 64 x 4": "#d98c00",
    "p=0, 64 x 4, clipped": "0.7",
    "p=0.4, 64 x 4, clipped": "#2471a3",
    "p=0, 500 steps": "0.45",
    "p=0.4, 500 steps": "#d98c00",
    "p=0, 64 x 4, 500 steps": "0.7",
    "p=0.4, 64 x 4, 500 steps": "#2471a3",
    "p=0, 128 x 4, 500 steps": "0.25",
    "p=0.4, 128 x 4, 500 steps": "#148f77",
    "RPR only": "#7d3c98",
    "RM": "#c0392b",
    "RM + RPR": "#148f77",
}


def report(folder: Path, plot: Path) -> None:
    """Prints the table of all runs in the folder, also as Markdown, and draws their curves."""
    found, console = read(folder, ARMS), Console()
    show(found, console)
    draw(found, plot, PANELS, COLORS, named=short)
    console.print(f"{sum(map(len, found.values()))} runs; the picture is {plot}")


def short(name: str) -> str:
    """An arm's name without what the title of its panel says."""
    if LONG in name:
        sizes = name.removesuffix(LONG).removesuffix(", ")
        name = sizes if " x " in sizes else f"{sizes}, 16 x 8"
    else:
        name = name.replace(", 64 x 4", "")
    return name.replace(" x ", " × ")
