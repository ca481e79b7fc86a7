"""What kind of thing an answer is: a value, a list, a point, an interval, a union, a matrix, a ratio, an equation.

Math-Verify equates (1,2), {1,2} and 1,2 and pays the last side of any chain of equations. So the structure is read and
compared here, exactly, and only the values in it go further, one pair at a time. Input: normalised text (`normalise`).
The kinds are in `structure`; what is not read is one value. Not covered: systems of inequalities.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial

from reward_server.grading.numbers.exact_number import read_number
from reward_server.grading.structures.congruences import read_congruence
from reward_server.grading.structures.inequalities import GREATER, LESS, read_inequality, without_points
from reward_server.grading.structures.lists import members, points_of_signs, read_list, read_signs
from reward_server.grading.structures.matrices import of_rows, read_components, read_matrix, transposed
from reward_server.grading.structures.piecewise import read_rows
from reward_server.grading.structures.ratios import read_range, read_ratio, read_remainder
from reward_server.grading.structures.sets import (
    read_description,
    read_members_by_condition,
    read_operation,
    read_real_line,
    set_of,
)
from reward_server.grading.structures.solutions import equal_letters
from reward_server.grading.structures.structure import BRACKETS, Shape, gathered
from reward_server.grading.text.brackets import MAX_DEPTH, closes_early, depth, split_top
from reward_server.grading.text.names import is_name
from reward_server.grading.text.normalise import compact

_FRENCH = re.compile(r"(\]|\[|\()(.*)(\[|\]|\))", re.DOTALL)
_COMMAS = frozenset({",", ";"})
_RELATIONS = frozenset({"=", "\\in", "\\ne"}) | LESS | GREATER
_DESCRIBES = re.compile(r"[A-Za-z] ?(?:\\in ?\\mathbb\{[A-Z]\}[^|:\\]{0,4})?(?:\||:|\\mid)")
_HAS_LETTER = re.compile(r"(?<![\\A-Za-z])[A-Za-z]|\\text")
_WORD = re.compile(r"[A-Za-z]{2,}(?: [A-Za-z]+)*")


def read_shape(text: str) -> Shape:
    """The structure of a normalised text; what has none, or is nested too deep, is a value."""
    return Shape("value", text) if depth(text) > MAX_DEPTH else _read(text)


def _read(text: str) -> Shape:
    text = text.strip()
    for read in _READERS:
        shape = read(text)
        if shape is not None:
            return shape
    return Shape("value", text)


def _description(text: str) -> Shape | None:
    return read_description(text, _read) if _DESCRIBES.match(text) else None


def _french_union(text: str) -> Shape | None:
    """`]-\\infty,0[ \\cup ]1,2]`: its brackets open nothing."""
    if "\\cup" not in text or ("]" not in text and "[" not in text) or split_top(text, frozenset({"\\cup"}))[1]:
        return None
    pieces = [piece.strip() for piece in text.split("\\cup")]
    return gathered("union", text, pieces, _read) if all(map(_french, pieces)) else None


def _french(text: str) -> Shape | None:
    """`]0,1]`: a bracket that turns its back leaves the end out."""
    if not text or (text[0] != "]" and text[-1] != "[") or not (match := _FRENCH.fullmatch(text)):
        return None
    pieces, between = split_top(match[2].strip(), _COMMAS)
    kind = ("[" if match[1] == "[" else "(") + ("]" if match[3] == "]" else ")")
    return gathered(kind, text, pieces, _read) if len(between) == 1 and all(pieces) else None


def _bracketed(text: str) -> Shape | None:
    if not BRACKETS.fullmatch(text) or closes_early(text):
        return None
    opening = "\\{" if text[0] == "\\" else text[0]
    inside = text[len(opening) : -2 if text.endswith("\\}") else -1].strip()
    pieces, between = split_top(inside, _COMMAS)
    kind = opening + text[-1]
    if opening == "\\{":
        return _braced(text, inside, pieces) if kind == "\\{}" else None
    if not between:
        is_value = bool(inside) and (kind == "()" or (kind == "[]" and _stands_alone(inside)))
        return _read(inside) if is_value else None  # (5) is 5
    return (points_of_signs(text, _read) if kind == "()" else None) or _in_order(kind, text, pieces)


def _braced(text: str, inside: str, pieces: list[str]) -> Shape:
    return _description(inside) or read_members_by_condition(inside, _read) or set_of(text, pieces, _read)


def _stands_alone(text: str) -> bool:
    """A number or a word: brackets round anything else may be a function, as [x] is."""
    return read_number(text) is not None or _WORD.fullmatch(text) is not None


def _in_order(kind: str, text: str, pieces: list[str]) -> Shape:
    """A point or an interval; in square brackets what can be no interval is a sequence, or a matrix."""
    shape = members(kind, text, pieces, _read)
    if shape.kind != "[]":
        return shape
    if len(pieces) > 2 or all(map(_WORD.fullmatch, pieces)):
        shape = replace(shape, kind="sequence")
    return of_rows(text, shape.parts) or shape


def _relation(text: str) -> Shape | None:
    sides, signs = split_top(text, _RELATIONS)
    if not signs or not all(sides):
        return None
    if set(signs) == {"="}:
        return _equation(text, sides)
    if signs == ["\\in"] and is_name(sides[0]) and (found := _members(sides[1])):
        return replace(found, name=compact(sides[0]))
    if signs == ["\\ne"] and is_name(sides[0]):
        points = _read(sides[1])
        return without_points(text, compact(sides[0]), points.parts if points.kind == "set" else (points,))
    return read_inequality(text, sides, signs) or Shape("value", text)


def _members(text: str) -> Shape | None:
    """What stands behind `x \\in`: a set, not one value."""
    shape = _read(text)
    return None if shape.kind == "value" and not text.startswith(("\\{", "\\mathbb", "\\emptyset")) else shape


def _equation(text: str, sides: list[str]) -> Shape:
    first = compact(sides[0])
    if len(sides) > 2 and (shape := equal_letters(text, sides, _read)):
        return shape
    parts = tuple(_read(side) for side in sides)
    if not is_name(sides[0]):
        if len(sides) == 2 and is_name(sides[1]) and not _HAS_LETTER.search(sides[0]):  # 2 = x
            return replace(parts[0], name=compact(sides[1]))
        return Shape("equation", text, parts, first)
    if len(parts) == 2:
        return replace(parts[1], name=first)
    return Shape("chain", text, parts[1:], first)


_READERS = (
    partial(read_rows, read=_read),
    partial(read_matrix, read=_read),
    _description,
    partial(read_congruence, read=_read),
    partial(read_list, read=_read),
    _relation,
    _french_union,
    partial(read_operation, read=_read),
    read_real_line,
    _french,
    _bracketed,
    partial(transposed, read=_read),
    read_range,
    read_remainder,
    partial(read_ratio, read=_read),
    partial(read_components, read=_read),
    read_signs,
)
"""In this order: the first that knows the text reads it."""
