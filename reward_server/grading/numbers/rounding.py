"""Closed forms for a ground truth that may be rounded: `18\\pi` for `56.5`, `\\arctan\\sqrt{2}` for `54.7^\\circ`.

Only irrational values: a rational number has to be written out (`12.5 \\cdot 3.1` is not 38.75), and so has one that is
the ground truth exactly (`\\log_2 8` is not 3.00).
"""

from __future__ import annotations

import math
import re
from fractions import Fraction

from reward_server.grading.numbers.closed_form import value_of
from reward_server.grading.numbers.exact_number import Number, rounds_to
from reward_server.grading.numbers.units import conversion, split_unit

_MOST_DIGITS = 13
_EXACT = 1e-12
_ANGLE = re.compile(r"\\arc(?:sin|cos|tan)(?![A-Za-z])|\\(?:sin|cos|tan) ?\^ ?\{ ?-1 ?\}")


def is_rounded(ground_truth: Number, answer: str) -> bool:
    """Is the answer a closed form whose value rounds to the ground truth?"""
    if not ground_truth.places or len(str(ground_truth.value.numerator)) > _MOST_DIGITS:
        return False
    body, unit = split_unit(answer)
    value = value_of(body)
    factor = _factor(ground_truth.unit, unit, _ANGLE.search(body) is not None)
    if value is None or isinstance(value, Fraction) or factor is None:
        return False
    value *= factor
    is_exact = abs(value - float(ground_truth.value)) <= _EXACT * abs(value)
    return not is_exact and rounds_to(ground_truth, Fraction(value))


def _factor(wanted: str, given: str, is_angle: bool) -> float | None:
    if wanted == "degree" and (given == "radian" or (not given and is_angle)):
        return 180 / math.pi
    if not wanted or not given:
        return None if given == "%" else 1.0
    factor = conversion(wanted, given)
    return None if factor is None else float(factor)
