"""Values of several unknowns: solutions of systems, `x=1, y=2 \\lor x=3, y=4`, and alternatives, `x=0 \\lor y=0`,
and letters that are equal, `a=b=c`.

A name that comes again begins the next solution: each is the point `(x,y) = (1,2)`, so that `x=1, y=4 \\lor x=3, y=2`
are other ones. "or" between values of different names is not "and": only a list of values may stand for it, since
`x=3, y=4` may be two lines. Not covered: solutions that do not all have the same names.
"""

from __future__ import annotations

import re
from dataclasses import replace

from reward_server.grading.structures.structure import Read, Shape
from reward_server.grading.text.normalise import compact

_SMALL = re.compile(r"[a-z](?:_(?:[0-9]|\{[0-9]+\}))?")
_INDEX = re.compile(r"_(?:[0-9A-Za-z]|\{[0-9A-Za-z]+\})$")


def of_unknowns(shape: Shape, signs: set[str]) -> Shape:
    """A list of named values as what it says of their names; any other list as it is."""
    shape = _of_one_name(shape)
    names = [part.name for part in shape.parts]
    if "" in names or any(part.kind == "equation" for part in shape.parts):
        return shape
    different = set(names)
    if len(different) < 2:
        return shape
    if len(different) < len(names):
        return _solutions(shape)
    is_either = signs == {"\\lor"} and len({_INDEX.sub("", name) for name in names}) > 1
    return replace(shape, kind="alternatives") if is_either else shape


def equal_letters(text: str, sides: list[str], read: Read) -> Shape | None:
    """`a=b=c` in any order; `a=b=c=1` as `a=1, b=1, c=1`. None for what has other sides, or less than two letters."""
    *names, last = map(compact, sides)
    if len(set(names)) < len(names) or not all(map(_SMALL.fullmatch, names)):
        return None
    if _SMALL.fullmatch(last):
        return None if last in names else Shape("equal", text, tuple(read(name) for name in (*names, last)))
    value = read(sides[-1])
    return Shape("list", text, tuple(value.named(name) for name in names)) if value.kind == "value" else None


def _of_one_name(shape: Shape) -> Shape:
    """`(x,y) = (1,2), (3,4)`: the second point has the first one's names."""
    first, *others = shape.parts
    if first.kind != "()" or not first.name.startswith("(") or any(part.kind != "()" or part.name for part in others):
        return shape
    return replace(shape, parts=(first, *(part.named(first.name) for part in others)))


def _solutions(shape: Shape) -> Shape:
    found: list[dict[str, Shape]] = [{}]
    for part in shape.parts:
        if part.name in found[-1]:
            found.append({})
        found[-1][part.name] = part
    names = sorted(found[0])
    if len(names) < 2 or any(sorted(solution) != names for solution in found):
        return shape
    name = f"({','.join(names)})"
    points = (tuple(replace(solution[each], name="") for each in names) for solution in found)
    return replace(shape, parts=tuple(Shape("solution", shape.text, point, name) for point in points))
