"""The curves of the bandit in one picture."""

from __future__ import annotations

from pathlib import Path

from experiments.bandit.rewards import Floats
from experiments.plots import End, name_lines

PANELS = {
    "T8": "shared policy, noise drawn anew each step",
    "T9": "time law, plain gradient ascent",
    "T11": "one policy a question, noise that never changes",
    "T12": "backward correction, mean baseline only",
    "T17": "one policy a question, an answer's fate never changes",
    "T18": "one policy a question, wrong labels",
}


def draw(curves: dict[str, Floats], path: Path) -> None:
    """Mean accuracy over the runs, with the range from the lowest to the highest run behind it."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(3, 2, figsize=(11, 9.5), sharey=True, layout="constrained")
    for axis, (test, title) in zip(axes.flat, PANELS.items(), strict=True):
        ends = []
        for name, curve in curves.items():
            if not name.startswith((f"{test} p", f"{test} share")):
                continue
            (line,) = axis.plot(curve.mean(0))
            axis.fill_between(range(curve.shape[1]), curve.min(0), curve.max(0), color=line.get_color(), alpha=0.12)
            ends.append(End(curve.shape[1], curve[:, -1].mean(), name.removeprefix(f"{test} "), line.get_color()))
        name_lines(axis, ends, apart=0.07)
        axis.set(title=f"{test}: {title}", xlabel="step", ylim=(0, 1))
        axis.margins(x=0)
        axis.spines[["top", "right"]].set_visible(False)
    for axis in axes[:, 0]:
        axis.set_ylabel("accuracy")
    figure.savefig(path, dpi=90)
    pyplot.close(figure)
