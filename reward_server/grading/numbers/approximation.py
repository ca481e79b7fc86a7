"""An exact value followed by its approximation: `\\frac{13}{6} \\approx 2.167`, `\\approx 37`, `x \\approx 37`.

The exact value counts. The number behind it has to be the same, rounded or cut: who writes two different values has
not decided. Where the ground truth is that very decimal, it counts: `\\frac{4}{9} \\approx 0.44` for `0.44`.
Not covered: what `closed_form` does not read, as `\\frac{n}{3} \\approx 0.33n`.
"""

from __future__ import annotations

import math
import re

from reward_server.grading.numbers.closed_form import value_of
from reward_server.grading.numbers.exact_number import Number, read_number
from reward_server.grading.numbers.units import split_unit
from reward_server.grading.text.brackets import split_top
from reward_server.grading.text.names import is_name
from reward_server.grading.text.normalise import compact

SIGN = "\\approx"
_SIGNS = frozenset({SIGN})
_LARGEST = 10**300
"""What a float holds."""
_MOST_PLACES = 12
_COMMA = frozenset({","})
_RELATION = re.compile(r"[=<>]|\\[lg]e(?![A-Za-z])")
_PLACES = re.compile(r"\.([0-9]+)")


def without_approximation(text: str, ground_truth: str) -> str | None:
    """The normalised text without approximations; None where they contradict it. Other texts as they are.

    >>> without_approximation("18\\\\pi \\\\approx 56.5", "18\\\\pi"), without_approximation("2 \\\\approx 3", "2")
    ('18\\\\pi', None)
    """
    if SIGN not in text:
        return text
    members, commas = split_top(text, _COMMA)
    if commas and all(SIGN in member for member in members):  # \sqrt{2} \approx 1.41, \sqrt{3} \approx 1.73
        exact_members = [without_approximation(member, "") for member in members]
        return None if None in exact_members else ", ".join(member for member in exact_members if member)
    pieces = [piece for piece in split_top(text, _SIGNS)[0] if piece]
    if not pieces:
        return text
    exact, *others = pieces
    decimals = [(other, read_number(other)) for other in others]
    if not others:
        return exact  # \approx 37
    if is_name(exact) and len(others) == 1 and decimals[0][1] is not None:
        return f"{exact}={others[0]}"
    value = _value(exact)
    if value is None or any(number is None for _, number in decimals):
        return text
    if not all(_agree(value, number, other) for other, number in decimals if number is not None):
        return None
    return next((other for other in others if "." in other and compact(other) == compact(ground_truth)), exact)


def _value(text: str) -> float | None:
    body, unit = split_unit(_RELATION.split(text)[-1].strip())
    value = value_of(body)
    if value is None or not -_LARGEST < value < _LARGEST:
        return None
    return float(value) / (100 if unit == "%" else 1)


def _agree(value: float, number: Number, text: str) -> bool:
    """Is the number the value, rounded or cut to the places of `text`, as which it is written?"""
    found = _PLACES.search(text)
    if abs(number.value) > _LARGEST:
        return False
    unit = 10.0 ** -min(len(found[1]), _MOST_PLACES) if found else 1.0
    factors = {"%": (0.01, 1.0), "degree": (math.pi / 180, 1.0)}.get(number.unit, (1.0,))
    for factor in factors:
        over = (value / factor - float(number.value)) * (-1 if value < 0 else 1) / unit
        if -0.5001 <= over < (1 if found else 0.5001):
            return True
    return False
