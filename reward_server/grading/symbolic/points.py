"""Where two expressions are compared: letters with numbers for values, which follow from both texts by a hash.

Letters are positive, but for expressions that tell signs apart (`|x|`) or jump (`\\lfloor x \\rfloor`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from importlib import import_module
from typing import Any

from reward_server.grading.symbolic.numeric import fraction_of

Point = dict[str, Fraction]
Ranges = Sequence[tuple[float, float]]

POSITIVE: Ranges = ((0.1, 0.3), (0.4, 0.6), (0.7, 0.9), (1.1, 2.9), (3.1, 9.9))
_SIGNED: Ranges = ((-0.9, -0.1), (-9.0, -1.1), (11.0, 99.0), (101.0, 999.0), (-999.0, -101.0), (1e4, 1e6))
"""One sign for all letters."""
_MIXED: Ranges = ((1.1, 2.9), (3.1, 9.9))
_MOST_TURNED = 8


def points(names: Sequence[str], key: str, ranges: Ranges) -> Iterator[Point]:
    """One point in each range."""
    for place, (low, high) in enumerate(ranges):
        width = Fraction(high) - Fraction(low)
        yield {name: Fraction(low) + width * fraction_of(f"{place} {name} {key}") for name in names}


def points_of_signs(names: Sequence[str], key: str) -> Iterator[Point]:
    """For expressions that tell signs: all letters of one sign, and each in turn of another one than the others.

    `|x|+|y|` is not `|x+y|` there, and each is the largest and the smallest once.
    """
    yield from points(names, key, _SIGNED)
    if len(names) > 1:
        for turned in names[:_MOST_TURNED]:
            for sign, point in zip((1, -1), points(names, f"{turned} {key}", _MIXED), strict=True):
                yield {name: -sign * at if name == turned else sign * at for name, at in point.items()}


def points_of_jumps(names: Sequence[str], key: str, *expressions: Any) -> Iterator[Point]:
    """Whole numbers, where something jumps: `\\lceil x \\rceil` is not `\\lfloor x \\rfloor + 1` there."""
    if _jumps(*expressions):
        for point in points(names, f"whole {key}", _SIGNED[1:4]):
            yield {name: Fraction(round(value)) for name, value in point.items()}


def with_some_signs(point: Point, key: str) -> Point:
    """The same with signs by a hash."""
    return {name: -at if fraction_of(f"sign {name} {key}") < Fraction(1, 2) else at for name, at in point.items()}


def tells_signs(*expressions: Any) -> bool:
    """Does the value depend on the letters' signs, or jump?"""
    sympy = import_module("sympy")
    kinds = (sympy.Abs, sympy.sign, sympy.Max, sympy.Min, sympy.floor, sympy.ceiling)
    return any(expression.has(*kinds) for expression in expressions)


def _jumps(*expressions: Any) -> bool:
    sympy = import_module("sympy")
    return any(expression.has(sympy.floor, sympy.ceiling) for expression in expressions)
