"""Members without order: is there a partner for each? The verdict is the same for every order of both sides.

Equal texts are paired first, then equal numbers and expressions, so that hundreds of members are not compared pair by
pair. What is left is matched as a whole: a percent sign may be missing, so that one member can have two partners.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence

from reward_server.grading.numbers.exact_number import read_number
from reward_server.grading.structures.structure import Shape
from reward_server.grading.symbolic import algebra
from reward_server.grading.text.normalise import compact

Same = Callable[[Shape, Shape], bool | None]


def pair(wanted: Sequence[Shape], given: Sequence[Shape], same: Same) -> bool | None:
    """Has each its own partner? None where it depends on pairs that `same` left open."""
    if len(wanted) != len(given):
        return False
    for key in (_text_of, look):
        wanted, given = _without_pairs(wanted, given, same, key)
    rows = []
    for one in wanted:
        rows.append([same(one, other) for other in given])
        if not any(verdict is not False for verdict in rows[-1]):
            return False
    if _is_matched([[verdict is True for verdict in row] for row in rows]):
        return True
    return None if _is_matched([[verdict is not False for verdict in row] for row in rows]) else False


def look(shape: Shape) -> Hashable:
    """The same for the same number with its unit, or the same expression of `algebra`, in the same place."""
    if shape.parts:
        return (shape.kind, shape.name, *map(look, shape.parts))
    number = read_number(shape.text)
    if number is not None:
        return shape.name, number.value, number.unit
    return shape.name, algebra.image(shape.text) or compact(shape.text)


def _text_of(shape: Shape) -> Hashable:
    return shape.kind, shape.name, compact(shape.text)


def _without_pairs(
    wanted: Sequence[Shape], given: Sequence[Shape], same: Same, key: Callable[[Shape], Hashable]
) -> tuple[list[Shape], list[Shape]]:
    """What is left when every member found its equal among those that look the same."""
    shelves: dict[Hashable, list[Shape]] = defaultdict(list)
    for other in reversed(given):
        shelves[key(other)].append(other)
    single: list[Shape] = []
    for one in wanted:
        shelf = shelves[key(one)]
        if shelf and same(one, shelf[-1]):
            shelf.pop()
        else:
            single.append(one)
    return single, [other for shelf in shelves.values() for other in reversed(shelf)]


def _is_matched(rows: list[list[bool]]) -> bool:
    """Is there a column for each row, each column for one row only? (Kuhn's algorithm)"""
    taken: dict[int, int] = {}

    def place(row: int, seen: set[int]) -> bool:
        for column, fits in enumerate(rows[row]):
            if not fits or column in seen:
                continue
            seen.add(column)
            if column not in taken or place(taken[column], seen):
                taken[column] = row
                return True
        return False

    return all(place(row, set()) for row in range(len(rows)))
