"""What has to come out, written down before the first run, and whether it did.

A curve is held-out accuracy by evaluation. The area is its mean over the run. Arms of one seed share their questions
and the judge's errors, so they are compared in pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from experiments.curves import Curves, area


@dataclass(frozen=True)
class Pass:
    """One sentence that was written before the run, the figures that it speaks of, and whether it came true."""

    sentence: str
    figures: Sequence[float]
    holds: bool


def passes(curves: Curves) -> list[Pass]:
    """All of them, in order. Raises KeyError where an arm is missing."""
    weak, good = gain(curves, "60 %"), gain(curves, "85 %")
    alone, together = fall(curves["RPR alone"]), fall(curves["65 % + RPR"])
    return [
        Pass(
            "RPR raises the area of the 60 % judge by more than 0.05, and for every seed",
            [*weak, weak.mean()],
            bool(weak.mean() > 0.05 and (weak > 0).all()),
        ),
        Pass("RPR changes the area of the 85 % judge by at most 0.03", [*good, good.mean()], abs(good.mean()) <= 0.03),
        Pass("RPR alone ends at least 0.2 below its peak", [alone], alone >= 0.2),
        Pass("65 % + RPR ends less than 0.05 below its peak", [together], together < 0.05),
    ]


def gain(curves: Curves, judge: str) -> NDArray[np.float64]:
    """By how much RPR raises the area, for each seed."""
    return area(curves[f"{judge} + RPR"]) - area(curves[judge])


def fall(curve: NDArray[np.float64]) -> float:
    """From the peak of the mean curve to its end."""
    mean = curve.mean(axis=0)
    return float(mean.max() - mean[-1])
