"""The tables and the picture of the runs that are there."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from experiments.curves import draw, read, show
from experiments.lm.arms import JUDGE_ARMS
from experiments.rm.passes import passes

PANELS = {
    "Judges of 60, 65 and 85 %": ("clean", "60 %", "65 %", "85 %"),
    "The same, calibrated with RPR": ("clean", "60 % + RPR", "65 % + RPR", "85 % + RPR"),
    "RPR without a judge": ("RPR alone", "constant + RPR"),
}
OF_JUDGE = {"clean": "0.45", "60": "#c0392b", "65": "#d98c00", "85": "#2471a3", "RPR": "#7d3c98", "constant": "#148f77"}
COLORS = {name: OF_JUDGE[name.split(" ")[0]] for name in JUDGE_ARMS}


def report(folder: Path, plot: Path) -> bool:
    """Prints each arm's figures and each pass, draws the curves. True where all passes hold; False while runs lack."""
    found, console = read(folder, JUDGE_ARMS), Console()
    show(found, console)
    draw(found, plot, PANELS, COLORS)
    console.print(f"{sum(map(len, found.values()))} runs; the picture is {plot}")
    runs = {name: len(found.get(name, ())) for name in JUDGE_ARMS}
    if missing := [
        f"{name} ({n} of {len(JUDGE_ARMS[name].seeds)})" for name, n in runs.items() if n < len(JUDGE_ARMS[name].seeds)
    ]:
        console.print(f"the passes need all runs; these arms lack some: {', '.join(missing)}")
        return False
    held = passes(found)
    for each in held:
        figures = ", ".join(f"{figure:+.3f}" for figure in each.figures)
        console.print(f"{'holds' if each.holds else 'FAILS'}: {each.sentence}: {figures}")
    return all(each.holds for each in held)
