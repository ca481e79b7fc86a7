"""Is one structure the other? Here: equations and names. What has neither is in `structures`, values are a `leaf`."""

from __future__ import annotations

import re
from dataclasses import replace
from math import gcd

from reward_server.grading.numbers.exact_number import read_number
from reward_server.grading.structures.comparison import Leaf, compare_structures
from reward_server.grading.structures.left_sides import right_side
from reward_server.grading.structures.shape import read_shape
from reward_server.grading.structures.structure import Shape
from reward_server.grading.symbolic.equations import all_true, compare_equations
from reward_server.grading.symbolic.linear import letters_of, linear_form, plus
from reward_server.grading.symbolic.renaming import renamings
from reward_server.grading.text.normalise import compact

_OF_X = re.compile(r"[fghp]\(x\)")
_ARGUMENTS = re.compile(r"(?<=[A-Za-z])\([a-z](?:,[a-z])*\)$")
_SUM_OF_NAMES = re.compile(r"[A-Za-z](?:[+-][A-Za-z])*")


def compare_texts(raw: str, ground_truth: str, shape: Shape, answer: str, leaf: Leaf) -> bool | None:
    """Is a normalised answer the ground truth, in its own letters or in those that stand for the ground truth's?

    `raw`, `shape`: the ground truth as it was written, and as it was read.
    """
    verdicts = [compare(shape, read_shape(text), leaf) for text in renamings(raw, ground_truth, answer)]
    return True if True in verdicts else None if None in verdicts else False


def compare(ground_truth: Shape, answer: Shape, leaf: Leaf) -> bool | None:
    """Is the answer the ground truth? None when a pair of values that matters was left open by `leaf`."""
    if ground_truth.kind == "equation":
        return _of_equation(ground_truth, answer, leaf)
    if answer.kind == "equation":
        return _against_equation(ground_truth, answer, leaf)
    if ground_truth.name and answer.name and not _is_same_name(ground_truth.name, answer.name):
        return _rearranged(ground_truth, answer, leaf)
    if ground_truth.kind == "chain":
        return compare(replace(ground_truth.parts[-1], name=ground_truth.name), answer, leaf)
    if answer.kind == "chain":  # x = 2 + 3 = 5: every side has to be right
        return all_true(compare(ground_truth, part, leaf) for part in answer.parts)
    return compare_structures(ground_truth, answer, lambda one, other: compare(one, other, leaf), leaf)


def _is_same_name(one: str, other: str) -> bool:
    """`y` and `f(x)` both name what a function gives, and `x(t)` is `x`."""
    return (
        one == other
        or one == _ARGUMENTS.sub("", other)
        or other == _ARGUMENTS.sub("", one)
        or (one == "y" and _OF_X.fullmatch(other) is not None)
        or (other == "y" and _OF_X.fullmatch(one) is not None)
    )


def _rearranged(ground_truth: Shape, answer: Shape, leaf: Leaf) -> bool | None:
    """`x = \\frac{y+7}{3}` is `y = 3x - 7` solved for the other name."""
    if (
        ground_truth.kind == answer.kind == "value"
        and answer.name in ground_truth.text
        and ground_truth.name in answer.text
    ):
        return _same_equation(_with_name(ground_truth), _with_name(answer), leaf)
    return False


def _of_equation(ground_truth: Shape, answer: Shape, leaf: Leaf) -> bool | None:
    """For an equation the same equation, or its right side where the left side is only a name for it."""
    if answer.kind == "equation":
        return _same_equation(ground_truth.text, answer.text, leaf)
    value = right_side(ground_truth)
    if not answer.name:
        return value is not None and compare(value, answer, leaf)
    if value is not None and not re.search("[A-Za-z]", ground_truth.name):  # x = 42 for 17+25 = 42
        return compare(value, answer, leaf)
    return _same_equation(ground_truth.text, _with_name(answer), leaf)


def _same_equation(ground_truth: str, answer: str, leaf: Leaf) -> bool | None:
    def same(one: str, other: str) -> bool | None:
        return compare(read_shape(one), read_shape(other), leaf)

    verdict = compare_equations(ground_truth, answer, same)
    return leaf(ground_truth, answer) if verdict is None else verdict


def _with_name(shape: Shape) -> str:
    return shape.text if shape.kind in {"equation", "chain"} or not shape.name else f"{shape.name}={shape.text}"


def _is_worked_out(ground_truth: Shape, answer: Shape) -> bool:
    """May the equation stand for `x = 5`? `5 = x` and `x-5 = 0` may, which is a line; `2x+3 = 13` is the question."""
    if read_number(ground_truth.text) is None or len(answer.parts) != 2:
        return True
    forms = [linear_form(part.text) for part in answer.parts]
    left, right = (form or {} for form in forms)
    if any(compact(part.text) == ground_truth.name for part in answer.parts):
        return True
    if None in forms or letters_of(plus(left, right, -1)) != [ground_truth.name]:
        return False
    numbers = [factor for form in (left, right) for factor in form.values()]
    is_short = len(numbers) <= 2 and all(factor.denominator == 1 for factor in numbers)
    return is_short and gcd(*(factor.numerator for factor in numbers)) == 1


def _against_equation(ground_truth: Shape, answer: Shape, leaf: Leaf) -> bool | None:
    """Against an equation whose left side is no name: `m+n = 13`, `\\frac{1}{2} = 0.5`, `3 = 5`, `2x-y = 0`."""
    if ground_truth.name:  # y = 2x + 3 may have been rearranged
        is_asked = ground_truth.kind == "value" and not _is_worked_out(ground_truth, answer)
        return False if is_asked else _same_equation(_with_name(ground_truth), answer.text, leaf)
    is_sum = _SUM_OF_NAMES.fullmatch(answer.name) is not None
    if is_sum and compact(answer.parts[-1].text) == "0":  # `a-b = 0` relates a and b; it does not answer 0
        return False
    return all_true(compare(ground_truth, part, leaf) for part in answer.parts[is_sum:])
