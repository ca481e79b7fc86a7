"""Inequalities as the intervals they describe: `-2 \\le x < 7`, `2x \\le 6`, `1-x < 0`, `|x-2| \\ge 1`, `x \\ne 4`.

With two letters or more (`p-q > 0`, `y < 2x+1`) a linear inequality becomes one text, the same for all that say the
same. Not covered: products of letters, powers (`x^2 < 4`), several signs in both directions (`1 < x > 0`).
"""

from __future__ import annotations

import re
from fractions import Fraction

from reward_server.grading.structures.real_sets import Unordered, complement, pieces_of, shape_of
from reward_server.grading.structures.structure import Shape
from reward_server.grading.symbolic.linear import Form, letters_of, linear_form, plus, sign_of, text_of, times
from reward_server.grading.text.names import is_name
from reward_server.grading.text.normalise import compact

LESS, GREATER = frozenset({"<", "\\le"}), frozenset({">", "\\ge"})
_TURNED = {">": "<", "\\ge": "\\le"}
_SIZE = re.compile(r"\|([^|]*)\|")
_UNKNOWN = frozenset("xyztw")
_INFINITE = Shape("value", "-\\infty"), Shape("value", "\\infty")


def read_inequality(text: str, sides: list[str], signs: list[str]) -> Shape | None:
    """An interval or a union of two, named by its letter; None where the relation says something else."""
    if set(signs) <= GREATER:
        sides, signs = sides[::-1], [_TURNED[sign] for sign in signs[::-1]]
    if not set(signs) <= LESS or len(sides) > 3:
        return None
    return (
        _written_out(text, sides, signs)
        or _size(text, sides, signs)
        or _linear(text, sides, signs)
        or _with_name(text, sides, signs)
    )


def without_points(text: str, name: str, points: tuple[Shape, ...]) -> Shape:
    """`x \\ne 4`. Where the order of several points is not known, there is one union for each."""
    try:
        return shape_of(complement(pieces_of(Shape("set", text, points))), text, name)
    except Unordered:
        parts = [_without(text, name, point) for point in points]
        return parts[0] if len(parts) == 1 else Shape("list", text, tuple(parts))


def _without(text: str, name: str, point: Shape) -> Shape:
    ends = (_INFINITE[0], point), (point, _INFINITE[1])
    return Shape("union", text, tuple(Shape("()", "", both) for both in ends), name)


def solved(form: Form) -> tuple[str, Fraction, Form] | None:
    """(letter, its factor, what it would be for the form to be 0) of a form in one letter."""
    letters = letters_of(form)
    if len(letters) != 1:
        return None
    (letter,) = letters
    factor = form[letter]
    rest = {atom: value for atom, value in form.items() if atom != letter}
    return letter, factor, times(rest, -1 / factor)


def _written_out(text: str, sides: list[str], signs: list[str]) -> Shape | None:
    """A name alone, between ends without letters, which stay as they are written."""
    place = _place_of_name(sides)
    ends = [side for at, side in enumerate(sides) if at != place]
    if place is None or not all(_is_constant(end) for end in ends):
        return None
    return _with_name(text, sides, signs)


def _with_name(text: str, sides: list[str], signs: list[str]) -> Shape | None:
    place = _place_of_name(sides)
    if place is None:
        return None
    if len(sides) == 2:
        sides = [*sides, "\\infty"] if place == 1 else ["-\\infty", *sides]
        signs = [*signs, "<"] if place == 1 else ["<", *signs]
    low, name, high = sides
    kind = ("(" if signs[0] == "<" else "[") + (")" if signs[1] == "<" else "]")
    return Shape(kind, text, (Shape("value", low), Shape("value", high)), compact(name))


def _place_of_name(sides: list[str]) -> int | None:
    """Of two names, the one that is an unknown by custom."""
    places = [place for place in ((1,) if len(sides) == 3 else (0, 1)) if is_name(sides[place])]
    unknown = [place for place in places if sides[place].strip() in _UNKNOWN]
    return next(iter(unknown or places), None)


def _is_constant(text: str) -> bool:
    form = linear_form(text)
    return form is not None and not letters_of(form)


def _linear(text: str, sides: list[str], signs: list[str]) -> Shape | None:
    forms = [linear_form(side) for side in sides]
    if any(form is None for form in forms):
        return None
    if len(sides) == 3:
        return _between(text, forms[0] or {}, forms[1] or {}, forms[2] or {}, signs)
    difference = plus(forms[1] or {}, forms[0] or {}, -1)  # 0 < difference
    if (solution := solved(difference)) is None:
        return _half_plane(text, difference, sides, signs)
    letter, factor, end = solution
    bound = Shape("value", text_of(end))
    if factor > 0:
        return Shape("()" if signs[0] == "<" else "[)", text, (bound, _INFINITE[1]), letter)
    return Shape("()" if signs[0] == "<" else "(]", text, (_INFINITE[0], bound), letter)


def _between(text: str, low: Form, middle: Form, high: Form, signs: list[str]) -> Shape | None:
    solution = solved(middle)
    if solution is None or letters_of(low) or letters_of(high):
        return None
    letter, factor, end = solution
    ends = [plus(end, bound, 1 / factor) for bound in (low, high)]
    closed = [sign == "\\le" for sign in signs]
    if factor < 0:
        ends, closed = ends[::-1], closed[::-1]
    return _interval(text, letter, ends, closed)


def _interval(text: str, name: str, ends: list[Form], closed: list[bool]) -> Shape:
    kind = ("[" if closed[0] else "(") + ("]" if closed[1] else ")")
    return Shape(kind, text, tuple(Shape("value", text_of(end)) for end in ends), name)


def _half_plane(text: str, positive: Form, sides: list[str], signs: list[str]) -> Shape | None:
    """Divided by the size of the first letter's factor; as an interval too, where a name stands alone."""
    letters = letters_of(positive)
    if not letters:
        return None
    scaled = times(positive, 1 / abs(positive[letters[0]]))
    interval = _with_name(text, sides, signs)
    return Shape("inequality", f"0{signs[0]} {text_of(scaled)}", (interval,) if interval else ())


def _size(text: str, sides: list[str], signs: list[str]) -> Shape | None:
    """`|x-2| < 3`, `|x-2| \\ge 1`, `1 \\le |x| \\le 2`."""
    place = next((at for at, side in enumerate(sides) if _SIZE.fullmatch(side.strip())), None)
    if place is None or (len(sides) == 3 and place != 1):
        return None
    inner = linear_form(sides[place].strip()[1:-1])
    solution = None if inner is None else solved(inner)
    bounds = [linear_form(side) for at, side in enumerate(sides) if at != place]
    if solution is None or not all(bound and not letters_of(bound) and sign_of(bound) == 1 for bound in bounds):
        return None
    letter, factor, centre = solution
    reach = [times(bound or {}, 1 / abs(factor)) for bound in bounds]
    closed = [sign == "\\le" for sign in signs]
    if len(sides) == 2 and place == 0:
        return _interval(text, letter, [plus(centre, reach[0], -1), plus(centre, reach[0])], closed * 2)
    return _outside(text, letter, centre, reach, closed)


def _outside(text: str, name: str, centre: Form, reach: list[Form], closed: list[bool]) -> Shape | None:
    """From `reach[0]` away from the centre to `reach[1]`, or on for ever."""
    inner = [Shape("value", text_of(plus(centre, reach[0], sign))) for sign in (-1, 1)]
    outer = [Shape("value", text_of(plus(centre, reach[1], sign))) for sign in (-1, 1)] if reach[1:] else [*_INFINITE]
    if reach[1:] and sign_of(plus(reach[1], reach[0], -1)) != 1:
        return None
    is_closed = (closed + [False])[:2]
    left = ("[" if is_closed[1] else "(") + ("]" if is_closed[0] else ")")
    right = ("[" if is_closed[0] else "(") + ("]" if is_closed[1] else ")")
    parts = Shape(left, "", (outer[0], inner[0])), Shape(right, "", (inner[1], outer[1]))
    return Shape("union", text, parts, name)
