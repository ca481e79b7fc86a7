"""Sets of real numbers, worked out: unions, intersections and differences of intervals and finite sets.

A set is a list of pieces in order, apart from each other; a point is a piece that ends where it begins. Every set has
one such form, so that equal sets have equal pieces. Ends are read by `linear`; where one is not (letters, `\\ln 2`),
nothing is worked out and the set stays as it was written.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cmp_to_key

from reward_server.grading.structures.structure import INTERVALS, Shape
from reward_server.grading.symbolic.linear import Form, letters_of, linear_form, plus, sign_of
from reward_server.grading.text.normalise import compact

EMPTY = "\\emptyset"
_INFINITE = {"\\infty": math.inf, "-\\infty": -math.inf, "+\\infty": math.inf}


class Unordered(Exception):
    """Two ends cannot be put in order."""


@dataclass(frozen=True, slots=True)
class End:
    """Where a piece ends: `form` is None at infinity, `infinity` 0 elsewhere."""

    text: str
    form: Form | None
    infinity: float = 0.0


@dataclass(frozen=True, slots=True)
class Piece:
    """From `low` to `high`; `has_low`: the end belongs to it."""

    low: End
    has_low: bool
    has_high: bool
    high: End


MINUS, PLUS = End("-\\infty", None, -math.inf), End("\\infty", None, math.inf)
LINE = [Piece(MINUS, False, False, PLUS)]
Pieces = list[Piece]


def pieces_of(shape: Shape) -> Pieces:
    """The pieces of an interval, of a set of numbers, of a union of both, of one number. Raises Unordered."""
    if shape.kind in INTERVALS and len(shape.parts) == 2:
        low, high = (_end(part) for part in shape.parts)
        return union([Piece(low, shape.kind[0] == "[", shape.kind[-1] == "]", high)])
    if shape.kind == "value":
        return [] if compact(shape.text) == EMPTY else [_point(shape)]
    if shape.kind not in {"union", "set"}:
        raise Unordered
    return union([piece for part in shape.parts for piece in pieces_of(part)])


def union(pieces: Pieces) -> Pieces:
    """In order, and what touches or overlaps made one."""
    result: Pieces = []
    for piece in sorted((piece for piece in pieces if not _is_empty(piece)), key=cmp_to_key(_by_low)):
        if result and _touch(result[-1], piece):
            result[-1] = _joined(result[-1], piece)
        else:
            result.append(piece)
    return result


def complement(pieces: Pieces) -> Pieces:
    """All other real numbers."""
    gaps: Pieces = []
    low, has_low = MINUS, False
    for piece in pieces:
        gaps.append(Piece(low, has_low, not piece.has_low, piece.low))
        low, has_low = piece.high, not piece.has_high
    return union([*gaps, Piece(low, has_low, False, PLUS)])


def intersection(sets: Iterable[Pieces]) -> Pieces:
    """What all hold."""
    return complement(union([piece for each in sets for piece in complement(each)]))


def shape_of(pieces: Pieces, text: str, name: str = "") -> Shape:
    """The pieces as a structure: an interval, a set, the union of intervals and one set, or the empty set."""
    points = [Shape("value", piece.low.text) for piece in pieces if _is_point(piece)]
    intervals = [_interval(piece) for piece in pieces if not _is_point(piece)]
    if not pieces:
        return Shape("value", EMPTY, name=name)
    if not intervals:
        return points[0].named(name) if len(points) == 1 else Shape("set", text, tuple(points), name)
    if not points and len(intervals) == 1:
        return intervals[0].named(name)
    return Shape("union", text, (*intervals, *([Shape("set", text, tuple(points))] if points else [])), name)


def whole_numbers(pieces: Pieces, most: int) -> list[int] | None:
    """The whole numbers in bounded pieces; None where there are more than `most`, or no bounds."""
    found: list[int] = []
    for piece in pieces:
        low, high = (end.form for end in (piece.low, piece.high))
        if low is None or high is None or not low.keys() <= {""} or not high.keys() <= {""}:
            return None
        first, last = low.get("", 0), high.get("", 0)
        begin = math.ceil(first) + (first == math.ceil(first) and not piece.has_low)
        end = math.floor(last) - (last == math.floor(last) and not piece.has_high)
        if end - begin >= most:
            return None
        found.extend(range(begin, end + 1))
    return found if len(found) <= most else None


def _end(shape: Shape) -> End:
    text = compact(shape.text)
    if text in _INFINITE:
        return End(shape.text, None, _INFINITE[text])
    form = linear_form(shape.text) if shape.kind == "value" else None
    if form is None or letters_of(form):
        raise Unordered
    return End(shape.text, form)


def _point(shape: Shape) -> Piece:
    end = _end(shape)
    if end.form is None:
        raise Unordered
    return Piece(end, True, True, end)


def _interval(piece: Piece) -> Shape:
    kind = ("[" if piece.has_low else "(") + ("]" if piece.has_high else ")")
    ends = (Shape("value", piece.low.text), Shape("value", piece.high.text))
    return Shape(kind, f"{kind[0]}{ends[0].text},{ends[1].text}{kind[1]}", ends)


def _is_point(piece: Piece) -> bool:
    return piece.low.form is not None and piece.low.form == piece.high.form


def _is_empty(piece: Piece) -> bool:
    order = _order(piece.low, piece.high)
    if order > 0:
        raise Unordered  # [5,3]: nobody knows what was meant
    return order == 0 and not (piece.has_low and piece.has_high)


def _order(one: End, other: End) -> int:
    if one.form is None or other.form is None:
        return (one.infinity > other.infinity) - (one.infinity < other.infinity)
    sign = sign_of(plus(one.form, other.form, -1))
    if sign is None:
        raise Unordered
    return sign


def _by_low(one: Piece, other: Piece) -> int:
    return _order(one.low, other.low) or other.has_low - one.has_low


def _touch(one: Piece, other: Piece) -> bool:
    order = _order(one.high, other.low)
    return order > 0 or (order == 0 and one.high.form is not None and (one.has_high or other.has_low))


def _joined(one: Piece, other: Piece) -> Piece:
    order = _order(one.high, other.high)
    high = one.high if order >= 0 else other.high
    has_high = one.has_high if order > 0 else other.has_high if order < 0 else one.has_high or other.has_high
    return Piece(one.low, one.has_low, has_high, high)
