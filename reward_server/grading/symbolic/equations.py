"""Are two equations the same? Decided in the finite field, without solving: nothing is true of an empty list of roots.

With letters: both are L - R = 0, and the same when one is the other times a constant that is not 0, or when they are
so after multiplying out their denominators. Without letters: every side of both has the one value (`17+25=42`).
An equation that holds for all values of its letters, or for none, says nothing: its sides have to be the same.
Not covered (None): functions, roots of letters. Two chains (`a=b=c`) have to have the same sides, in any order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from reward_server.grading.numbers.spelling import plain_pair
from reward_server.grading.symbolic.algebra import Reading, reading
from reward_server.grading.symbolic.field import ZERO, Element, minus, times
from reward_server.grading.text.brackets import split_top
from reward_server.grading.text.normalise import compact

_EQUALS = frozenset({"="})
_POINTS = range(3)
_MOST_SIDES = 4

Same = Callable[[str, str], bool | None]
Fraction = tuple[Element, Element]


def sides_of(text: str) -> list[str]:
    """The sides of an equation; empty for what is none, or lacks a side."""
    if "=" not in text:
        return []
    sides, between = split_top(text, _EQUALS)
    return sides if between and all(sides) else []


def compare_equations(ground_truth: str, answer: str, same: Same) -> bool | None:
    """Is the answer the equation `ground_truth`? `same` compares two sides. None: it has to be decided elsewhere."""
    pair = plain_pair(ground_truth, answer)
    if pair is None:
        return False
    wanted, given = map(sides_of, pair)
    if not wanted or not given:
        return False
    verdict = _of_one_left_side(wanted, given, same)
    return _compared(wanted, given, same) if verdict is None else verdict


def same_sides(wanted: Sequence[str], given: Sequence[str], same: Same) -> bool | None:
    """The same sides in the same order, or two sides turned round."""
    if len(wanted) != len(given):
        return False
    straight = all_true(map(same, wanted, given))
    if straight or len(wanted) != 2:
        return straight
    turned = all_true(map(same, wanted, reversed(given)))
    return turned if turned or straight is False else straight


def all_true(verdicts: Iterable[bool | None]) -> bool | None:
    """False if any is False; else None if any is open. Later ones are not asked for after the first False."""
    result: bool | None = True
    for verdict in verdicts:
        if verdict is False:
            return False
        result = result and verdict
    return result


def _of_one_left_side(wanted: Sequence[str], given: Sequence[str], same: Same) -> bool | None:
    """`L = 5` against `L = 6`: whatever L is, the values decide."""
    if len(wanted) != 2 or len(given) != 2 or compact(wanted[0]) != compact(given[0]):
        return None
    verdict = same(wanted[1], given[1])
    if verdict is False and (_is_curve(wanted[0]) or not (_is_value(wanted[1]) and _is_value(given[1]))):
        return None  # x = 2y and x = 3y - x/2, x^2+y^2 = 25 and x^2+y^2 = 5^2
    return verdict


def _is_curve(text: str) -> bool:
    return "^" in text and {"x", "y"} <= set(text)


def _is_value(text: str) -> bool:
    found = reading(text)
    return found is not None and not found.letters


def _compared(wanted: Sequence[str], given: Sequence[str], same: Same) -> bool | None:
    readings = [reading(side) for side in (*wanted, *given)]
    if None in readings:
        return None
    letters = [bool(found and found.letters) for found in readings]
    if not any(letters[: len(wanted)]):
        return not any(letters) and _same_value(wanted, given, same)
    if len(wanted) != 2 or len(given) != 2:
        return _same_chain(wanted, given, same)
    return _same_relation(wanted, given, same)


def _same_value(wanted: Sequence[str], given: Sequence[str], same: Same) -> bool | None:
    """Sides without letters: what is true for one value is not true for another."""
    if not all_true(same(wanted[0], side) for side in wanted[1:]):  # the ground truth is no true equation
        return same_sides(wanted, given, same)
    return all_true(same(wanted[0], side) for side in given)


def _same_chain(wanted: Sequence[str], given: Sequence[str], same: Same) -> bool | None:
    """The sides of `\\frac{x-1}{2} = \\frac{y}{3} = z` in any order."""
    if len(wanted) != len(given) or len(wanted) > _MOST_SIDES:
        return same_sides(wanted, given, same)
    left = list(given)
    for side in wanted:
        partner = next((other for other in left if same(side, other)), None)
        if partner is None:
            return same_sides(wanted, given, same)
        left.remove(partner)
    return True


def _same_relation(wanted: Sequence[str], given: Sequence[str], same: Same) -> bool | None:
    pairs = [(_difference(wanted, point), _difference(given, point)) for point in _POINTS]
    if any(one is None or other is None for one, other in pairs):
        return None
    ours = [one for one, _ in pairs if one is not None]
    theirs = [other for _, other in pairs if other is not None]
    if _are_constant(ours):
        return same_sides(wanted, given, same)
    if any(top == ZERO for top, _ in theirs):
        return False
    tops = [(one[0], other[0]) for one, other in zip(ours, theirs, strict=True)]
    ratios = [(times(a, d), times(b, c)) for (a, b), (c, d) in zip(ours, theirs, strict=True)]
    return _are_constant(ratios) or _are_constant(tops)


def _difference(sides: Sequence[str], point: int) -> Fraction | None:
    """L - R at a point, as a fraction that is not reduced."""
    one, other = (reading(side, point) for side in sides)
    return None if one is None or other is None else _subtracted(one, other)


def _subtracted(left: Reading, right: Reading) -> Fraction:
    if left.bottom == right.bottom:
        return minus(left.top, right.top), left.bottom
    return minus(times(left.top, right.bottom), times(right.top, left.bottom)), times(left.bottom, right.bottom)


def _are_constant(fractions: Sequence[Fraction]) -> bool:
    (top, bottom), *others = fractions
    return all(times(top, other[1]) == times(other[0], bottom) for other in others)
