"""Several values side by side: `2, 3`, `2 \\lor 3`, `\\pm 5`, `1, 2, \\ldots, 50`, `x < 1 \\lor x > 4`, labelled ones.

Inequalities of one letter are worked out: all of them hold where that is "and", one of them where it is "or". A comma
may mean either: together they hold what is common, unless nothing is.
Not covered: progressions that are not arithmetic (they stay a sequence with dots), two `\\pm` in one point.
"""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise, product

from reward_server.grading.numbers.exact_number import read_number
from reward_server.grading.structures.real_sets import (
    Pieces,
    Unordered,
    complement,
    intersection,
    pieces_of,
    shape_of,
    union,
)
from reward_server.grading.structures.solutions import of_unknowns
from reward_server.grading.structures.structure import INTERVALS, Read, Shape, gathered, value
from reward_server.grading.symbolic.linear import Form, linear_form, plus, text_of
from reward_server.grading.text.brackets import split_top

_SEPARATORS = frozenset({",", ";", "\\lor", "\\land"})
_SIGNS = re.compile(r"\\(pm|mp)(?![A-Za-z])")
_MOST_SIGNS = 4
_RELATION = re.compile(r"[=<>]|\\(?:[lg]e|ne|in)(?![A-Za-z])")
_DOTS = re.compile(r"\\ldots|\\dots|\\cdots|\.\.\.|…")
_MOST_MEMBERS = 100
_LABEL = re.compile(
    r"\\text ?\{ ?([A-Za-z][A-Za-z ]*?) ?[:=]? ?\} ?[:=]? ?(?=[-+0-9.\\(])(?!\\text)(.+)"  # \text{minimum } 1
    r"|([A-Z]?[a-z]{2,}) ?: ?([-+]?[0-9.\\].*)"  # Paolo: 18
)


def read_list(text: str, read: Read) -> Shape | None:
    """A list, or what its inequalities mean together; None for one value."""
    if "," not in text and ";" not in text and "\\l" not in text:
        return None
    pieces, between = split_top(text, _SEPARATORS)
    if not between:
        return None
    pieces = [piece for piece in pieces if piece]
    if len(pieces) < 2:
        return None
    if read_number(text) is not None:  # 10,080 is one number
        return value(text.replace(",", ""))
    signs = set(between)
    if "\\land" in signs and not any(map(_RELATION.search, pieces)):
        return gathered("conjunction", text, pieces, read)  # p \land q is not p \lor q
    shape = members("set" if "\\lor" in signs else "list", text, pieces, read)
    if signs == {"\\lor"} and all(map(_is_interval, shape.parts)):
        return read(text.replace("\\lor", "\\cup"))
    return shape if shape.kind in {"progression", "sequence"} else _together(shape, pieces, signs)


def _together(shape: Shape, pieces: list[str], signs: set[str]) -> Shape:
    if any(part.name.startswith("(") for part in shape.parts):  # (x,y) = (1,2) is no interval
        return of_unknowns(shape, signs)
    return _solutions(shape, pieces, signs) or of_unknowns(_intervals(shape), signs)


def members(kind: str, text: str, pieces: list[str], read: Read) -> Shape:
    """The pieces together, with the members that dots stand for."""
    dots = [place for place, piece in enumerate(pieces) if _DOTS.fullmatch(piece)] if len(pieces) > 1 else []
    if dots:
        return _progression(kind, text, pieces, dots) or gathered("sequence", text, pieces, read)
    labels = [_LABEL.fullmatch(piece) for piece in pieces] if len(pieces) > 1 else [None]
    if all(labels):
        return Shape(kind, text, tuple(_labelled(label, read) for label in labels if label))
    return gathered(kind, text, pieces, read)


def read_signs(text: str) -> Shape | None:
    """One `\\pm` stands for two values, wherever it is; two for four; `\\pm … \\mp` for two."""
    texts = _both_signs(text)
    return None if texts is None else Shape("set", text, tuple(value(each) for each in texts))


def points_of_signs(text: str, read: Read) -> Shape | None:
    """`(\\pm\\sqrt6, 0)`: two points."""
    found = _SIGNS.findall(text)
    if not found or found.count("pm") > 1 or found.count("mp") > 1:
        return None
    texts = _both_signs(text)
    return None if texts is None else Shape("set", text, tuple(read(each) for each in texts))


def _both_signs(text: str) -> list[str] | None:
    pieces = _SIGNS.split(text)[::2]
    found = _SIGNS.findall(text)
    if not found or len(found) > _MOST_SIGNS or set(found) == {"mp"} and len(found) > 1:
        return None
    if len(set(found)) == 2:
        choices = [["+" if sign == upper else "-" for sign in found] for upper in ("pm", "mp")]
    else:
        choices = [list(signs) for signs in product("+-", repeat=len(found))]
    return [
        "".join(f"{sign}{piece.strip()}" for sign, piece in zip(["", *signs], pieces, strict=True)) for signs in choices
    ]


def _is_interval(shape: Shape) -> bool:
    """Surely one: `(1,2)` may be a point."""
    is_half_open = shape.kind in {"(]", "[)"}
    return not shape.name and (is_half_open or (shape.kind in INTERVALS and "\\infty" in shape.text))


def _labelled(label: re.Match[str], read: Read) -> Shape:
    return read(label[2] or label[4]).named(f"\\text{{{(label[1] or label[3]).casefold()}}}")


def _intervals(shape: Shape) -> Shape:
    """What could not be worked out stays a union of its parts."""
    names = {part.name for part in shape.parts}
    is_union = (
        len(names) == 1
        and "" not in names
        and all(part.kind in INTERVALS and len(part.parts) == 2 for part in shape.parts)
    )
    return replace(shape, kind="union") if is_union else shape


def _solutions(shape: Shape, pieces: list[str], signs: set[str]) -> Shape | None:
    """The set of real numbers that inequalities and values of one letter describe together."""
    is_other_than = "\\ne" in pieces[0]
    names = {part.name or (shape.parts[0].name if is_other_than else "") for part in shape.parts}
    if len(names) != 1 or "" in names or not any(part.kind in {*INTERVALS, "union"} for part in shape.parts):
        return None
    try:
        sets = [pieces_of(part) if part.name else complement(pieces_of(part)) for part in shape.parts]  # x \ne 1, 2
        found = _combined(sets, signs, any("\\ne" in piece for piece in pieces))
    except Unordered:
        return None
    return None if found is None else shape_of(found, shape.text, *names)


def _combined(sets: list[Pieces], signs: set[str], all_hold: bool) -> Pieces | None:
    joined = union([piece for each in sets for piece in each])
    if signs == {"\\lor"}:
        return joined
    common = intersection(sets)
    if all_hold or "\\land" in signs:
        return None if "\\lor" in signs else common
    if not common:
        return joined
    is_all = len(joined) == 1 and joined[0].low.form is None and joined[0].high.form is None
    return common if is_all else None


def _progression(kind: str, text: str, pieces: list[str], dots: list[int]) -> Shape | None:
    """An arithmetic progression: its members, or first, step and last where they are many or unknown."""
    place = dots[0]
    before, after = ([linear_form(piece) for piece in part] for part in (pieces[:place], pieces[place + 1 :]))
    forms = [form for form in (*before, *after) if form is not None]
    if len(dots) > 1 or not before or len(forms) < len(pieces) - 1:
        return None
    first, last = forms[0], forms[-1] if after else None
    steps = [plus(other, one, -1) for part in (forms[:place], forms[place:]) for one, other in pairwise(part)]
    step = steps[0] if place > 1 else {"": Fraction(1)}
    if set(step) != {""} or any(each != step for each in steps):
        return None
    if last is not None and (found := _numbers(first, step[""], last)) is not None:
        return Shape(kind, text, tuple(value(text_of({"": number} if number else {})) for number in found))
    end = Shape("text", "\\ldots") if last is None else value(text_of(last))
    return Shape("progression", text, (value(text_of(first)), value(text_of(step)), end))


def _numbers(first: Form, step: Fraction, last: Form) -> list[Fraction] | None:
    """From first to last, where these are numbers and not too many."""
    distance = plus(last, first, -1)
    steps = distance.get("", Fraction(0)) / step
    if not {*first, *last} <= {""} or steps.denominator != 1 or not 0 < steps < _MOST_MEMBERS:
        return None
    return [first.get("", Fraction(0)) + place * step for place in range(int(steps) + 1)]
