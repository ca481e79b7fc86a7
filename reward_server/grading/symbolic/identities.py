"""Are two SymPy expressions, or two equations, the same? Decided by their values at a few points, to many digits.

The points follow from both texts by a hash: the same pair has the same points on every replica, and an answer that
agrees with the ground truth at its own points only would have to be found by trying 2^128 of them.
Letters are taken as positive, but where |x| and the like tell signs apart (`points.py`). Points where a root or
logarithm is not real count only when there are no others. n, k and m also stand for whole numbers: (-1)^n is cos(nπ).
Not covered (None): what has no numbers for values (`numeric.NotNumeric`), and values beyond 10^±2000.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from importlib import import_module
from itertools import chain
from typing import Any

from reward_server.grading.symbolic.numeric import (
    NotNumeric,
    Number,
    OutOfReach,
    TooLarge,
    Undefined,
    evaluate,
    fraction_of,
    is_close,
    is_near,
)
from reward_server.grading.symbolic.points import (
    POSITIVE,
    Point,
    points,
    points_of_jumps,
    points_of_signs,
    tells_signs,
    with_some_signs,
)

_WHOLE = frozenset({"n", "k", "m"})
_WHOLE_POINTS = 12
_ENOUGH = 3


def same_value(wanted: Any, given: Any, key: str) -> bool | None:
    """Two expressions. `key`: what the points follow from."""
    try:
        return _same_value(wanted, given, key)
    except OutOfReach:
        return False
    except (NotNumeric, TooLarge):
        return None


def same_equation(wanted: Sequence[Any], given: Sequence[Any], key: str) -> bool | None:
    """Two equations of two sides each: is L1 - R1 the other's L2 - R2 times a constant that is not 0?

    False where one of them is true at any point: it says nothing. None where that alone does not decide.
    """
    if not set().union(*(side.free_symbols for side in wanted)):
        return None
    try:
        return _same_ratio(wanted, given, key)
    except (NotNumeric, TooLarge):
        return None


def _same_value(wanted: Any, given: Any, key: str) -> bool:
    names = _names(wanted, given)
    if not names:
        return _is_same_at(wanted, given, {}) is True
    found = [_at(wanted, given, point) for point in points(names, key, POSITIVE)]
    verdict = _verdict([pair for pair in found if pair])
    if verdict and tells_signs(wanted, given):
        where = chain(points_of_signs(names, key), points_of_jumps(names, key, wanted, given))
        signed = [_at(wanted, given, point) for point in where]
        verdict = all(is_close(*pair) for pair in signed if pair and _is_real(pair))
    return verdict or _same_for_whole_numbers(wanted, given, names, key)


def _verdict(pairs: list[list[Number]]) -> bool:
    """Equal at every point, the real ones when there are some."""
    real = [pair for pair in pairs if _is_real(pair)]
    chosen = real if len(real) > 1 else pairs
    return len(chosen) > 1 and len(pairs) >= _ENOUGH and all(is_close(*pair) for pair in chosen)


def _same_for_whole_numbers(wanted: Any, given: Any, names: list[str], key: str) -> bool:
    """Only where a power of a negative number or a function asks for them."""
    whole = [name for name in names if name in _WHOLE]
    if not whole or not (_asks_for_whole(wanted, whole) or _asks_for_whole(given, whole)):
        return False
    others = points([name for name in names if name not in _WHOLE], key, [*POSITIVE] * 3)
    is_signed = tells_signs(wanted, given)
    for place, point in zip(range(_WHOLE_POINTS), others, strict=False):
        at = point | {name: _whole_number(f"{key} {name}", place, turn) for turn, name in enumerate(whole)}
        at = with_some_signs(at, f"{place} {key}") if is_signed else at
        if not _is_same_at(wanted, given, at):
            return False
    return True


def _whole_number(key: str, place: int, turn: int) -> Fraction:
    """Even and odd in turns of the letter's own: `(-1)^n` is not `(-1)^k`."""
    return Fraction(2 * int(fraction_of(f"{key} {place}") * 10) + 3 + (place >> turn) % 2)


def _asks_for_whole(expression: Any, names: list[str]) -> bool:
    sympy = import_module("sympy")
    for part in sympy.preorder_traversal(expression):
        if isinstance(part, sympy.Pow) and part.base.is_number and part.base.is_negative:
            inner = part.exp
        elif isinstance(part, (sympy.sin, sympy.cos, sympy.tan, sympy.floor, sympy.ceiling, sympy.Abs)):
            inner = part.args[0]
        else:
            continue
        if any(letter.name in names for letter in inner.free_symbols):
            return True
    return False


def _is_same_at(wanted: Any, given: Any, point: Point) -> bool | None:
    pair = _at(wanted, given, point)
    return None if pair is None else is_close(*pair)


def _at(wanted: Any, given: Any, point: Point) -> list[Number] | None:
    try:
        return evaluate((wanted, given), point)
    except Undefined:
        return None


def _is_real(numbers: Sequence[Number]) -> bool:
    return all(number.is_real for number in numbers)


def _names(*expressions: Any) -> list[str]:
    return sorted({letter.name for expression in expressions for letter in expression.free_symbols})


def _same_ratio(wanted: Sequence[Any], given: Sequence[Any], key: str) -> bool | None:
    names = _names(*wanted, *given)
    ratios = []
    signed = points_of_signs(names, key) if tells_signs(*wanted, *given) else ()
    for point in chain(points(names, key, POSITIVE), signed):
        try:
            numbers = evaluate((_difference(wanted), _difference(given)), point)
        except Undefined:
            continue
        ours, theirs = (number.value for number in numbers)
        if not ours or not theirs:
            return False
        ratios.append((ours / theirs, _is_real(numbers), numbers[0].size))
    chosen = [ratio for ratio in ratios if ratio[1]] or ratios
    is_constant = len(chosen) > 1 and all(is_near(chosen[0][0], ratio, size) for ratio, _, size in chosen)
    return True if is_constant else None


def _difference(sides: Sequence[Any]) -> Any:
    sympy = import_module("sympy")
    left, right = sides
    return sympy.Add(left, sympy.Mul(-1, right, evaluate=False), evaluate=False)


def share_roots(wanted: Sequence[Any], given: Sequence[Any], key: str) -> bool:
    """Are the roots of each, along lines through the points, roots of the other, and are there some of each?"""
    names = _names(*wanted, *given)
    return all(
        _are_roots(_roots(_difference(one), names, key), other) for one, other in ((wanted, given), (given, wanted))
    )


def _are_roots(roots: Iterator[Point], sides: Sequence[Any]) -> bool:
    found = 0
    for root in roots:
        try:
            left, right = (number.value for number in evaluate(tuple(sides), root))
        except Undefined:
            continue
        if not _is_root(left, right):
            return False
        found += 1
    return found > 0


def is_solved(sides: Sequence[Any]) -> bool:
    """Does a letter stand alone on one side? Then all that the equation says is its value."""
    left, right = sides
    return any(one.is_Symbol and one not in other.free_symbols for one, other in ((left, right), (right, left)))


def _is_root(left: Any, right: Any) -> bool:
    return bool(abs(left - right) <= (abs(left) + abs(right) + 1) * 1e-12)


def _roots(difference: Any, names: Sequence[str], key: str) -> Iterator[Point]:
    for name in names[:4]:
        for point in points(names, f"{key} {name}", [*POSITIVE[:2], POSITIVE[3]]):

            def height(at: Fraction, point: Point = point, name: str = name) -> float | None:
                return _height(difference, point | {name: at})

            for root in _sign_changes(height):
                yield point | {name: root}


def _height(difference: Any, point: Point) -> float | None:
    try:
        (number,) = evaluate((difference,), point)
    except Undefined:
        return None
    return float(number.value) if number.is_real else None


Height = Callable[[Fraction], float | None]


def _sign_changes(height: Height) -> Iterator[Fraction]:
    grid = [Fraction(step, 8) + Fraction(1, 97) for step in range(-48, 49, 3)]
    heights = [height(at) for at in grid]
    for (low, high), (below, above) in zip(_pairs(grid), _pairs(heights), strict=True):
        if below is None or above is None or (below > 0) == (above > 0):
            continue
        root = _bisected(height, low, high, below > 0)
        if root is not None:
            yield root


def _bisected(
    height: Callable[[Fraction], float | None], low: Fraction, high: Fraction, is_above: bool
) -> Fraction | None:
    """A root between two signs, to 15 digits; None at a pole."""
    at_start = height(low)
    found = at_start
    for _ in range(56):
        middle = (low + high) / 2
        found = height(middle)
        if found is None:
            return None
        if (found > 0) == is_above:
            low = middle
        else:
            high = middle
    is_root = found is not None and at_start is not None and abs(found) < 1e-9 * max(1.0, abs(at_start))
    return (low + high) / 2 if is_root else None


def _pairs(values: Sequence[Any]) -> list[tuple[Any, Any]]:
    return list(zip(values, values[1:], strict=False))
