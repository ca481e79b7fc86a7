"""What is expected, written down before the first run, and whether it came.

One seed an arm and 96 held-out questions: an accuracy has a standard error of up to 5 points, so each figure here is a
mean of several evaluations. A curve is held-out accuracy by evaluation.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from experiments.curves import Curves
from experiments.rm.passes import Pass

LAST = 2
"""An end is the mean of this many evaluations."""


def passes(curves: Curves) -> list[Pass]:
    """All of them, in order. Raises KeyError where an arm is missing."""
    start = float(np.mean([curve[:, 0].mean() for curve in curves.values()]))
    ends = {name: end(curve) for name, curve in curves.items()}
    means = {name: float(curve.mean()) for name, curve in curves.items()}
    learned = ends["p=0"] - start
    noisy = [learned, ends["p=0.4"] - start, ends["p=0.5"] - start]
    peak = float(smoothed(curves["RPR alone"]).max())
    helped = [means["65 % + RPR"] - means["65 %"]]
    return [
        Pass("p = 0 ends at least 0.15 above the start", [learned], learned >= 0.15),
        Pass("p = 0.4 ends above p = 0.5, and not above p = 0", noisy, noisy[2] < noisy[1] <= noisy[0]),
        Pass("p = 0.5 rises by less than half of what p = 0 rises by", noisy[::2], noisy[2] < learned / 2),
        Pass("RPR alone rises at least 0.1 above the start", [peak - start], peak - start >= 0.1),
        Pass("RPR alone ends at least 0.1 below its peak", [peak - ends["RPR alone"]], peak - ends["RPR alone"] >= 0.1),
        Pass("RPR does not lower the 65 % judge's mean over the run by more than 0.03", helped, helped[0] >= -0.03),
    ]


def end(curve: NDArray[np.float64]) -> float:
    """The mean of the last evaluations of all seeds [seeds, evaluations]."""
    return float(curve[:, -LAST:].mean())


def smoothed(curve: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means of neighbouring evaluations, over all seeds."""
    mean = curve.mean(axis=0)
    return np.convolve(mean, np.full(LAST, 1 / LAST), mode="valid")
