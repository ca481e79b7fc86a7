"""Sets: members in braces, `\\{x \\mid x < 3\\}`, `\\cup`, `\\cap`, `\\setminus`. Worked out where `real_sets` can.

A set that is described is what it describes: `\\{x \\in \\mathbb{Z} : 0 \\le x \\le 3\\}` has four members.
Not covered: complements of sets with names; they stay one value.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import chain

from reward_server.grading.structures.inequalities import without_points
from reward_server.grading.structures.lists import members
from reward_server.grading.structures.pairing import look
from reward_server.grading.structures.real_sets import (
    EMPTY,
    Pieces,
    Unordered,
    complement,
    intersection,
    pieces_of,
    shape_of,
    union,
    whole_numbers,
)
from reward_server.grading.structures.structure import INTERVALS, Read, Shape, value
from reward_server.grading.text.brackets import split_top
from reward_server.grading.text.normalise import compact

_REAL = {
    "\\mathbb{R}": ("()", "-\\infty", "\\infty"),
    "\\mathbb{R}^+": ("()", "0", "\\infty"),
    "\\mathbb{R}_{\\ge0}": ("[)", "0", "\\infty"),
    "\\mathbb{R}_{>0}": ("()", "0", "\\infty"),
    "\\mathbb{R}_+": ("()", "0", "\\infty"),
    "\\mathbb{R}^{+}": ("()", "0", "\\infty"),
    "\\mathbb{R}^-": ("()", "-\\infty", "0"),
    "\\mathbb{R}^{-}": ("()", "-\\infty", "0"),
}
_WHOLE = {"\\mathbb{Z}": None, "\\mathbb{N}": 1, "\\mathbb{Z}^+": 1, "\\mathbb{Z}^{+}": 1}
"""Sets of whole numbers, and from where on they surely hold all: whether 0 is a natural number is a matter of taste."""
_MOST_MEMBERS = 100
_SUCH_THAT = re.compile(r"\\mid(?![A-Za-z])|\||:")
_ELEMENT = re.compile(r"([A-Za-z])(?:\\in(\\mathbb\{[A-Z]\}(?:\^\{?\+\}?)?))?")
_MEMBERSHIP = re.compile(r" ?([A-Za-z]) ?\\in ?(\\mathbb\{[RZN]\}(?:\^\{?\+\}?)?) ?")
_WITHOUT = re.compile(r"(\\mathbb\{[A-Z]\}) ?- ?(\\\{.*\\\})", re.DOTALL)
_CUP, _CAP, _SETMINUS = frozenset({"\\cup"}), frozenset({"\\cap"}), frozenset({"\\setminus"})
_BARS = frozenset({"\\mid", "|", ":"})
_IS_CONDITION = re.compile(r"[=<>]|\\(?:in|le|ge|ne)(?![A-Za-z])")
_COMMA = frozenset({",", ";"})

Combine = Callable[[list[Pieces]], Pieces]


def read_real_line(text: str) -> Shape | None:
    """`\\mathbb{R}` and its halves as the intervals they are."""
    if not text.startswith("\\mathbb"):
        return None
    found = _REAL.get(compact(text))
    return None if found is None else Shape(found[0], text, (value(found[1]), value(found[2])))


def read_operation(text: str, read: Read) -> Shape | None:
    """A union, an intersection or a difference of sets."""
    if "\\cup" in text:
        pieces, between = split_top(text, _CUP)
        return _union(text, [_operand(piece, read) for piece in pieces]) if between else None
    if "\\cap" in text:
        pieces, between = split_top(text, _CAP)
        return _worked_out(text, [_operand(piece, read) for piece in pieces], intersection) if between else None
    if "\\setminus" in text:
        pieces, between = split_top(text, _SETMINUS)
        return _difference(text, *(_operand(piece, read) for piece in pieces)) if len(between) == 1 else None
    if "\\mathbb" in text and (match := _WITHOUT.fullmatch(text)):
        return _difference(text, read(match[1]), _operand(match[2], read))
    return None


def set_of(text: str, pieces: list[str], read: Read) -> Shape:
    """The set of the pieces between braces. What one piece describes is that set."""
    if pieces == [EMPTY]:  # a set that holds the empty set is not empty
        return Shape("set", text, (value(EMPTY),))
    parts = members("set", text, pieces, lambda piece: _operand(piece, read))
    if parts.kind == "set":
        parts = without_repeats(parts)
    is_description = len(parts.parts) == 1 and parts.kind == "set" and not pieces[0].startswith("\\{")
    return parts.parts[0] if is_description else parts


def read_description(text: str, read: Read) -> Shape | None:
    """`x : x < 3`, `x \\in \\mathbb{Z} \\mid 0 \\le x \\le 3`: what stands between the braces."""
    match = _SUCH_THAT.search(text)
    element = _ELEMENT.fullmatch(compact(text[: match.start()])) if match else None
    if match is None or element is None:
        return None
    name, domain, rest = element[1], element[2], text[match.end() :].strip()
    again = _SUCH_THAT.search(rest)
    if again and _ELEMENT.fullmatch(compact(rest[: again.start()])):  # x | x | x | … of hundreds
        return None
    conditions = []
    for condition in split_top(rest, _COMMA)[0]:
        if (membership := _MEMBERSHIP.fullmatch(condition)) and membership[1] == name and domain is None:
            domain = membership[2]
        else:
            conditions.append(condition)
    shape = read(", ".join(conditions) or f"{name} \\in {domain}")
    if shape.name != name or shape.kind not in {*INTERVALS, "union", "set", "value"}:
        return None
    return _in_domain(text, shape, domain or "\\mathbb{R}")


def read_members_by_condition(text: str, read: Read) -> Shape | None:
    """`2k : k \\in \\mathbb{Z}`: the members, and for what; a condition that names no numbers is compared as text."""
    sides, between = split_top(text, _BARS)
    if len(between) != 1 or not all(sides) or not _IS_CONDITION.search(sides[1]):
        return None
    condition = read(sides[1])
    if "\\mathbb" in sides[1] or not condition.name:
        condition = Shape("text", sides[1])
    return Shape("description", text, (read(sides[0]), condition))


def without_repeats(shape: Shape) -> Shape:
    """A set has no member twice."""
    kept = {look(part): part for part in reversed(shape.parts)}
    return Shape(shape.kind, shape.text, tuple(reversed(kept.values())), shape.name)


def _in_domain(text: str, shape: Shape, domain: str) -> Shape | None:
    if domain in _REAL:
        return shape if shape.kind in {*INTERVALS, "union"} else None
    if domain not in _WHOLE:
        return None
    try:
        numbers = whole_numbers(pieces_of(shape), _MOST_MEMBERS)
    except Unordered:
        return None
    least = _WHOLE[domain]
    if numbers is None or (least is not None and min(numbers, default=1) < least):
        return None
    return Shape("set", text, tuple(value(str(number)) for number in numbers), shape.name)


def _operand(text: str, read: Read) -> Shape:
    """`\\{4\\}` is a set here, not its member."""
    shape = read(text)
    is_member = text.startswith("\\{") and shape.kind not in {*INTERVALS, "union", "set"}
    return Shape("set", text, (shape,)) if is_member else shape


def _union(text: str, parts: list[Shape]) -> Shape:
    if all(part.kind == "set" for part in parts):
        return without_repeats(Shape("set", text, tuple(member for part in parts for member in part.parts)))
    return _worked_out(text, parts, lambda sets: union(list(chain(*sets)))) or Shape("union", text, tuple(parts))


def _difference(text: str, whole: Shape, taken: Shape) -> Shape:
    shape = Shape("difference", text, (whole, taken))
    if whole.kind == "set" and taken.kind == "set":
        gone = {look(part) for part in taken.parts}
        return Shape("set", text, tuple(part for part in whole.parts if look(part) not in gone))
    worked_out = _worked_out(text, [whole, taken], lambda sets: intersection([sets[0], complement(sets[1])]))
    if worked_out is not None:
        return worked_out
    is_point = taken.kind == "value" or (taken.kind == "set" and len(taken.parts) == 1)
    if compact(whole.text) == "\\mathbb{R}" and is_point:  # no order needed
        return without_points(text, "", taken.parts or (taken,))
    return shape


def _worked_out(text: str, parts: list[Shape], combine: Combine) -> Shape | None:
    try:
        return shape_of(combine([pieces_of(part) for part in parts]), text)
    except Unordered:
        return None
