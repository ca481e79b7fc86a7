"""Lines that are named where they end, so that a picture needs no legend."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any


@dataclass(frozen=True)
class End:
    """Where a line ends, its name and its colour."""

    x: float
    y: float
    name: str
    color: str


def name_lines(axis: Any, ends: Sequence[End], apart: float = 0.06) -> None:
    """Writes each name right of the picture, at its line's height; over the end of a line that ends before others.

    `apart`: the least distance of two names, in units of y.
    """
    last = max((end.x for end in ends), default=0.0)
    whole = [end for end in ends if end.x == last]
    for end, height in zip(whole, spread([end.y for end in whole], apart), strict=True):
        _write(axis, end, (1.02, height), axis.get_yaxis_transform(), "left")
    for end, height in _stacked([end for end in ends if end.x < last], near=0.12 * last, apart=apart):
        _write(axis, end, (end.x, height), axis.transData, "center")


def _write(axis: Any, end: End, place: tuple[float, float], units: Any, align: str) -> None:
    axis.annotate(
        end.name,
        (end.x, end.y),
        xytext=place,
        textcoords=units,
        color=end.color,
        va="center",
        ha=align,
        fontsize="small",
        annotation_clip=False,
    )


def _stacked(ends: Sequence[End], near: float, apart: float) -> Iterator[tuple[End, float]]:
    """Ends from left to right with a height above each; one that is near the one before stands higher."""
    before, level = -inf, 0
    for end in sorted(ends, key=lambda end: end.x):
        level = level + 1 if end.x - before < near else 0
        before = end.x
        yield end, end.y + apart * (level + 0.8)


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
