"""What kind of thing an answer is: a value, a list, a point, an interval, a union, a matrix, a ratio, an equation.

Math-Verify equates (1,2), {1,2} and 1,2 and pays the last side of any chain of equations. So the structure is read and
compared here, exactly, and only the values in it go further, one pair at a time. Input: normalised text (`normalise`).
Ordered: points, intervals, matrices, ratios. Unordered: sets, bare lists (also from `\\pm` and "or"), unions.
Not covered: French intervals `]0,1[`, systems of inequalities, set-builder notation (they stay one value).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from reward_server.rewards.exact_number import read_number
from reward_server.rewards.normalise import compact

MAX_DEPTH = 12
"""Brackets nested deeper are not read: no ground truth needs it, and parsers take exponential time on them."""

UNORDERED = frozenset({"set", "union"})

_TOKEN = re.compile(r"\\(?:[A-Za-z]+|.)|.", re.DOTALL)
_OPENING = frozenset({"(", "[", "{", "\\{", "\\begin"})
_CLOSING = frozenset({")", "]", "}", "\\}", "\\end"})
_LESS, _GREATER = frozenset({"<", "\\le"}), frozenset({">", "\\ge"})
_BRACKETS = re.compile(r"(?:\(|\[|\\\{).*(?:\)|\]|\\\})", re.DOTALL)
_MATRIX = re.compile(
    r"(?P<fence>[(\[])?\s*\\begin\{(?P<kind>[pb]?matrix|array)\}(?:\{[clr| ]*\})?(?P<rows>.*)\\end\{(?P=kind)\}\s*(?(fence)[)\]])",
    re.DOTALL,
)
_NAME = re.compile(
    r"(?:[A-Za-z]|\\(?!pi\b)[a-z]+ ?|\\text\{[A-Za-z ]*\}|[A-Z]{2,4})"  # x, \theta, \text{Area}, AB
    r"(?:_(?:[0-9A-Za-z]|\{[^{}]*\}))?'*(?:\([^()]{0,20}\))?"  # x_1, y', f(2)
    r"|\([a-z](?:,[a-z])+\)|\|[A-Z]{2}\||\\angle ?[A-Z]{1,3}"  # (x,y), |AB|, \angle ABC
)
_SIGNS = re.compile(r"\\(?:pm|mp)(?![A-Za-z])")
_SUM_OF_NAMES = re.compile(r"[A-Za-z](?:[+-][A-Za-z])*")


@dataclass(frozen=True, slots=True)
class Shape:
    """`kind` is "value", "equation", or how `parts` stand together; `name` is the x of `x = …` and `x \\in …`."""

    kind: str
    text: str
    parts: tuple[Shape, ...] = ()
    name: str = ""


def read_shape(text: str) -> Shape:
    """The structure of a normalised text; what has none is a value."""
    text = text.strip()
    for read in (_matrix, _list, _relation, _union, _bracketed, _ratio, _plus_minus):
        shape = read(text)
        if shape is not None:
            return shape
    return Shape("value", text)


def depth(text: str) -> int:
    """How deep brackets and braces are nested."""
    level = deepest = 0
    for token in _TOKEN.findall(text):
        level += (token in _OPENING) - (token in _CLOSING)
        deepest = max(deepest, level)
    return deepest


def split_top(text: str, separators: frozenset[str]) -> tuple[list[str], list[str]]:
    """(pieces, the separators between them): `text` split where no bracket is open."""
    pieces, between, start, level = [], [], 0, 0
    for match in _TOKEN.finditer(text):
        token = match.group()
        level += (token in _OPENING) - (token in _CLOSING)
        if level == 0 and token in separators:
            pieces.append(text[start : match.start()].strip())
            between.append(token)
            start = match.end()
    return [*pieces, text[start:].strip()], between


def _matrix(text: str) -> Shape | None:
    match = _MATRIX.fullmatch(text)
    if match is None or "\\begin" in match["rows"]:
        return None
    rows = [row for row in match["rows"].split("\\\\") if row.strip()]
    return Shape("matrix", text, tuple(_gathered("row", row, row.split("&")) for row in rows))


def _list(text: str) -> Shape | None:
    pieces, _ = split_top(text, frozenset({",", ";"}))
    pieces = [piece for piece in pieces if piece]
    if len(pieces) < 2 or read_number(text) is not None:  # 10,080 is one number
        return None
    shape = _gathered("set", text, pieces)
    # x < 1 or x > 2: the relations became intervals
    return replace(shape, kind="union") if all(_is_interval(part) and part.name for part in shape.parts) else shape


def _gathered(kind: str, text: str, pieces: list[str]) -> Shape:
    """A list inside a list is one list: `\\{1 \\pm \\sqrt{5}, -2\\}` has three members."""
    parts: list[Shape] = []
    for piece in pieces:
        part = read_shape(piece)
        parts.extend(part.parts if kind == "set" == part.kind and not _BRACKETS.fullmatch(piece) else [part])
    return Shape(kind, text, tuple(parts))


def _is_interval(shape: Shape) -> bool:
    return len(shape.parts) == 2 and shape.kind in {"()", "(]", "[)", "[]"}


def _union(text: str) -> Shape | None:
    pieces, between = split_top(text, frozenset({"\\cup"}))
    return _gathered("union", text, pieces) if between else None


def _bracketed(text: str) -> Shape | None:
    if not _BRACKETS.fullmatch(text) or _closes_early(text):
        return None
    opening = "\\{" if text[0] == "\\" else text[0]
    inside = text[len(opening) : -2 if text.endswith("\\}") else -1].strip()
    pieces, between = split_top(inside, frozenset({",", ";"}))
    kind = opening + text[-1]
    if opening == "\\{":
        return _as_set(text, pieces) if kind == "\\{}" else None
    if between:
        return _gathered(kind, text, pieces)
    return read_shape(inside) if kind == "()" and inside else None  # (5) is 5


def _as_set(text: str, pieces: list[str]) -> Shape:
    parts = _gathered("set", text, pieces)
    return parts.parts[0] if len(parts.parts) == 1 else parts


def _closes_early(text: str) -> bool:
    """Is the first bracket closed before the end, as in `(1,2) \\cup (3,4)`?"""
    level = 0
    for match in _TOKEN.finditer(text):
        level += (match.group() in _OPENING) - (match.group() in _CLOSING)
        if level == 0:
            return match.end() < len(text)
    return True


def _relation(text: str) -> Shape | None:
    sides, signs = split_top(text, frozenset({"=", "\\in", "\\ne"}) | _LESS | _GREATER)
    if not signs or not all(sides):
        return None
    if set(signs) == {"="}:
        return _equation(text, sides)
    if signs == ["\\in"] and _NAME.fullmatch(compact(sides[0])):
        return replace(read_shape(sides[1]), name=compact(sides[0]))
    return _interval(text, sides, signs) or Shape("value", text)


def _equation(text: str, sides: list[str]) -> Shape:
    first = compact(sides[0])
    parts = tuple(read_shape(side) for side in sides)
    if not _NAME.fullmatch(first):
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
        is_lower = not _NAME.fullmatch(compact(sides[0]))
        sides = [*sides, "\\infty"] if is_lower else ["-\\infty", *sides]
        signs = [*signs, "<"] if is_lower else ["<", *signs]
    low, name, high = sides
    if not _NAME.fullmatch(compact(name)):
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


Leaf = Callable[[str, str], bool | None]
"""Are two values equal? None: cannot say here."""


def compare(ground_truth: Shape, answer: Shape, leaf: Leaf) -> bool | None:
    """Is the answer the ground truth? None when a pair of values that matters was left open by `leaf`."""
    if ground_truth.kind == "equation":
        is_equation = answer.kind == "equation" or bool(answer.name)
        return is_equation and leaf(ground_truth.text, _with_name(answer))
    if answer.kind == "equation":
        return _against_equation(ground_truth, answer, leaf)
    if ground_truth.name and answer.name and ground_truth.name != answer.name:
        return False
    if ground_truth.kind == "chain":
        return compare(replace(ground_truth.parts[-1], name=ground_truth.name), answer, leaf)
    if answer.kind == "chain":  # x = 2 + 3 = 5: every side has to be right
        return _all(compare(ground_truth, part, leaf) for part in answer.parts)
    return _same_structure(ground_truth, answer, leaf)


def _with_name(shape: Shape) -> str:
    return shape.text if shape.kind == "equation" or not shape.name else f"{shape.name}={shape.text}"


def _against_equation(ground_truth: Shape, answer: Shape, leaf: Leaf) -> bool | None:
    """Against an equation whose left side is no name: `m+n = 13`, `\\frac{1}{2} = 0.5`, `3 = 5`, `2x-y = 0`."""
    if ground_truth.name:  # y = 2x + 3 may have been rearranged
        return leaf(_with_name(ground_truth), answer.text)
    is_sum = _SUM_OF_NAMES.fullmatch(answer.name) is not None
    if is_sum and compact(answer.parts[-1].text) == "0":  # `a-b = 0` relates a and b; it does not answer 0
        return False
    return _all(compare(ground_truth, part, leaf) for part in answer.parts[is_sum:])


def _same_structure(ground_truth: Shape, answer: Shape, leaf: Leaf) -> bool | None:
    if ground_truth.kind != answer.kind or len(ground_truth.parts) != len(answer.parts):
        return False
    if ground_truth.kind == "value":
        return leaf(ground_truth.text, answer.text)
    if ground_truth.kind in UNORDERED:
        return _matching(ground_truth.parts, list(answer.parts), leaf)
    pairs = zip(ground_truth.parts, answer.parts, strict=True)
    return _all(compare(wanted, given, leaf) for wanted, given in pairs)


def _all(verdicts: Iterable[bool | None]) -> bool | None:
    """False if any is False; else None if any is open. Later ones are not asked for after the first False."""
    result: bool | None = True
    for verdict in verdicts:
        if verdict is False:
            return False
        result = result and verdict
    return result


def _matching(wanted: Sequence[Shape], given: list[Shape], leaf: Leaf) -> bool | None:
    """Is there a partner for each, in any order? Equality is an equivalence, so the first partner found will do."""
    result: bool | None = True
    for one in wanted:
        verdicts = [compare(one, other, leaf) for other in given]
        if True in verdicts:
            del given[verdicts.index(True)]
        elif None in verdicts:
            result = None
        else:
            return False
    return result
