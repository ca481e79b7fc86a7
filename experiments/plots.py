"""Lines that are named where they end, so that a picture needs no legend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class End:
    """Where a line ends, its name and its colour."""

    x: float
    y: float
    name: str
    color: str


def name_lines(axis: Any, ends: Sequence[End], apart: float = 0.06) -> None:
    """Writes each name right of its line's end. `apart`: the least distance of two names, in units of y."""
    heights = spread([end.y for end in ends], apart)
    for end, height in zip(ends, heights, strict=True):
        axis.annotate(
            end.name,
            (end.x, end.y),
            xytext=(1.02, height),
            textcoords=axis.get_yaxis_transform(),
            color=end.color,
            va="center",
            fontsize="small",
            annotation_clip=False,
        )


def spread(heights: Sequence[float], apart: float) -> list[float]:
    """The heights, moved as little as a sweep from below can, so that no two are closer than `apart`.

    >>> [round(height, 2) for height in spread([0.5, 0.1, 0.51], 0.1)]
    [0.46, 0.1, 0.56]
    """
    order = sorted(range(len(heights)), key=lambda row: heights[row])
    placed = list(heights)
    cluster: list[int] = []
    for row in order:
        cluster = [*cluster, row] if cluster and placed[row] - placed[cluster[-1]] < apart else [row]
        middle = sum(heights[each] for each in cluster) / len(cluster)
        for place, each in enumerate(cluster):
            placed[each] = middle + (place - (len(cluster) - 1) / 2) * apart
    return placed
