"""The table, the expectations and the picture of the runs that are there."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from experiments.curves import draw, read, show
from experiments.smollm.arms import SMOLLM_ARMS
from experiments.smollm.passes import passes

PANELS = {
    "Random flips": ("p=0", "p=0.4", "p=0.5"),
    "RPR, and a judge of 65 %": ("p=0", "RPR alone", "65 %", "65 % + RPR"),
}
COLORS = dict(zip(SMOLLM_ARMS, ("0.45", "#d98c00", "#c0392b", "#7d3c98", "#2471a3", "#148f77"), strict=True))


def report(folder: Path, plot: Path) -> None:
    """Prints each arm's figures and, where all arms have a run, each expectation; draws the curves."""
    found, console = read(folder, SMOLLM_ARMS), Console()
    show(found, console)
    draw(found, plot, PANELS, COLORS)
    console.print(f"{sum(map(len, found.values()))} runs; the picture is {plot}")
    if missing := [name for name in SMOLLM_ARMS if name not in found]:
        console.print(f"the expectations need all arms; these have no run yet: {', '.join(missing)}")
        return
    for each in passes(found):
        figures = ", ".join(f"{figure:+.3f}" for figure in each.figures)
        console.print(f"{'came' if each.holds else 'DID NOT COME'}: {each.sentence}: {figures}")
