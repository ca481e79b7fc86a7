"""What kind of thing an answer is: a value, a list, a point, an interval, a union, a matrix, a ratio, an equation.

Math-Verify equates (1,2), {1,2} and 1,2 and pays the last side of any chain of equations. So the structure is read and
compared here, exactly, and only the values in it go further, one pair at a time. Input: normalised text (`normalise`).
Ordered: points, intervals, matrices, ratios. Unordered: sets, bare lists (also from `\\pm` and "or"), unions.
Sets of the kind `\\{x : x < 3\\}` are the interval they describe; `\\begin{cases}` without conditions is a list.
Not covered: systems of inequalities, other set-builder notation (they stay one value).
"""

from __future__ import annotations

import re
from dataclasses import replace

from reward_server.rewards.brackets import MAX_DEPTH, closes_early, depth, split_top
from reward_server.rewards.exact_number import read_number
from reward_server.rewards.names import is_name
from reward_server.rewards.normalise import compact
from reward_server.rewards.structure import Shape

_LESS, _GREATER = frozenset({"<", "\\le"}), frozenset({">", "\\ge"})
_BRACKETS = re.compile(r"(?:\(|\[|\\\{).*(?:\)|\]|\\\})", re.DOTALL)
_MATRIX = re.compile(
    r"(?P<fence>[(\[])?\s*\\begin\{(?P<kind>(?:[pbB]|small)?matrix|array)\}(?:\{[clr| ]*\})?"
    r"(?P<rows>.*)\\end\{(?P=kind)\}\s*(?(fence)[)\]])",
    re.DOTALL,
)
_FRENCH = re.compile(r"(\]|\[|\()(.*)(\[|\]|\))", re.DOTALL)
_SUCH_THAT = frozenset({"\\mid", "|", ":"})
_ELEMENT = re.compile(r"([A-Za-z])(?:\\in\\mathbb\{R\})?")
_CASES = re.compile(r"\\begin\{cases\}(.*)\\end\{cases\}", re.DOTALL)
_REAL_LINE = "\\mathbb{R}"
_SIGNS = re.compile(r"\\(?:pm|mp)(?![A-Za-z])")


def read_shape(text: str) -> Shape:
    """The structure of a normalised text; what has none, or is nested too deep, is a value."""
    return Shape("value", text) if depth(text) > MAX_DEPTH else _read(text)


def _read(text: str) -> Shape:
    text = text.strip()
    for read in (_matrix, _cases, _list, _relation, _union, _real_line, _french, _bracketed, _ratio, _plus_minus):
        shape = read(text)
        if shape is not None:
            return shape
    return Shape("value", text)


def _matrix(text: str) -> Shape | None:
    match = _MATRIX.fullmatch(text)
    if match is None or "\\begin" in match["rows"]:
        return None
    rows = [row for row in match["rows"].split("\\\\") if row.strip()]
    return Shape("matrix", text, tuple(_gathered("row", row, row.split("&")) for row in rows))


def _cases(text: str) -> Shape | None:
    """`\\begin{cases} x=1 \\\\ y=2 \\end{cases}` is the list of both; with `&` it is a function by cases."""
    match = _CASES.fullmatch(text)
    return None if match is None or "&" in text else _list(match[1].replace("\\\\", ","))


def _list(text: str) -> Shape | None:
    pieces, _ = split_top(text, frozenset({",", ";"}))
    pieces = [piece for piece in pieces if piece]
    if len(pieces) < 2:
        return None
    if read_number(text) is not None:  # 10,080 is one number
        return Shape("value", text.replace(",", ""))
    shape = _gathered("set", text, pieces)
    # x < 1 or x > 2: the relations became intervals
    return replace(shape, kind="union") if all(_is_interval(part) and part.name for part in shape.parts) else shape


def _gathered(kind: str, text: str, pieces: list[str]) -> Shape:
    """A list inside a list is one list: `\\{1 \\pm \\sqrt{5}, -2\\}` has three members."""
    parts: list[Shape] = []
    for piece in pieces:
        part = _read(piece)
        parts.extend(part.parts if kind == "set" == part.kind and not _BRACKETS.fullmatch(piece) else [part])
    return Shape(kind, text, tuple(parts))


def _is_interval(shape: Shape) -> bool:
    return len(shape.parts) == 2 and shape.kind in {"()", "(]", "[)", "[]"}


def _union(text: str) -> Shape | None:
    pieces, between = split_top(text, frozenset({"\\cup"}))
    if not between and "\\cup" in text:  # ]-\infty,0[ \cup ]1,2]: its brackets open nothing
        pieces = between = [piece.strip() for piece in text.split("\\cup")]
        return _gathered("union", text, pieces) if all(map(_french, pieces)) else None
    return _gathered("union", text, pieces) if between else None


def _real_line(text: str) -> Shape | None:
    ends = Shape("value", "-\\infty"), Shape("value", "\\infty")
    return Shape("()", text, ends) if compact(text) == _REAL_LINE else None


def _french(text: str) -> Shape | None:
    """`]0,1]`: a bracket that turns its back leaves the end out."""
    match = _FRENCH.fullmatch(text)
    if match is None or (match[1] != "]" and match[3] != "["):
        return None
    pieces, between = split_top(match[2].strip(), frozenset({",", ";"}))
    kind = ("[" if match[1] == "[" else "(") + ("]" if match[3] == "]" else ")")
    return _gathered(kind, text, pieces) if len(between) == 1 and all(pieces) else None


def _bracketed(text: str) -> Shape | None:
    if not _BRACKETS.fullmatch(text) or closes_early(text):
        return None
    opening = "\\{" if text[0] == "\\" else text[0]
    inside = text[len(opening) : -2 if text.endswith("\\}") else -1].strip()
    pieces, between = split_top(inside, frozenset({",", ";"}))
    kind = opening + text[-1]
    if opening == "\\{":
        return _as_set(text, pieces) if kind == "\\{}" else None
    if between:
        return _gathered(kind, text, pieces)
    return _read(inside) if kind == "()" and inside else None  # (5) is 5


def _as_set(text: str, pieces: list[str]) -> Shape:
    parts = _gathered("set", text, pieces)
    if len(parts.parts) != 1 or pieces == ["\\emptyset"]:  # a set that holds the empty set is not empty
        return parts
    return _such_that(pieces[0]) or parts.parts[0]


def _such_that(text: str) -> Shape | None:
    """`x : x < 3` and `x \\in \\mathbb{R} \\mid x < 3` are the interval."""
    sides, between = split_top(text, _SUCH_THAT)
    element = _ELEMENT.fullmatch(compact(sides[0]))
    if len(between) != 1 or element is None:
        return None
    condition = _read(sides[1])
    return condition if condition.name == element[1] and _is_interval(condition) else None


def _relation(text: str) -> Shape | None:
    sides, signs = split_top(text, frozenset({"=", "\\in", "\\ne"}) | _LESS | _GREATER)
    if not signs or not all(sides):
        return None
    if set(signs) == {"="}:
        return _equation(text, sides)
    if signs == ["\\in"] and is_name(sides[0]) and (members := _members(sides[1])):
        return replace(members, name=compact(sides[0]))
    return _interval(text, sides, signs) or Shape("value", text)


def _members(text: str) -> Shape | None:
    """What stands behind `x \\in`: a set, not one value."""
    shape = _read(text)
    return None if shape.kind == "value" and not text.startswith(("\\{", "\\mathbb", "\\emptyset")) else shape


def _equation(text: str, sides: list[str]) -> Shape:
    first = compact(sides[0])
    parts = tuple(_read(side) for side in sides)
    if not is_name(sides[0]):
        return Shape("equation", text, parts, first)
    if len(parts) == 2:
        return replace(parts[1], name=first)
    return Shape("chain", text, parts[1:], first)


def _interval(text: str, sides: list[str], signs: list[str]) -> Shape | None:
    """`-2 \\le x < 7`, `x > 2`, `2 < x` as the interval they describe."""
    if set(signs) <= _GREATER:
        sides, signs = sides[::-1], [{">": "<", "\\ge": "\\le"}[sign] for sign in signs[::-1]]
    if not set(signs) <= _LESS or len(sides) > 3:
        return None
    if len(sides) == 2:
        is_lower = not is_name(sides[0])
        sides = [*sides, "\\infty"] if is_lower else ["-\\infty", *sides]
        signs = [*signs, "<"] if is_lower else ["<", *signs]
    low, name, high = sides
    if not is_name(name):
        return None
    kind = ("(" if signs[0] == "<" else "[") + (")" if signs[1] == "<" else "]")
    return Shape(kind, text, (Shape("value", low), Shape("value", high)), compact(name))


def _ratio(text: str) -> Shape | None:
    pieces, between = split_top(text, frozenset({":"}))
    return _gathered("ratio", text, pieces) if between else None


def _plus_minus(text: str) -> Shape | None:
    """One `\\pm` stands for two values, wherever it is."""
    pieces = _SIGNS.split(text)
    if len(pieces) != 2:
        return None
    return Shape("set", text, tuple(Shape("value", sign.join(pieces).strip()) for sign in "+-"))
