"""Two single values, compared without SymPy: as text, as exact numbers, by unit, by algebra; None is left to it."""

from __future__ import annotations

import re

from reward_server.grading.numbers.clock import instant_matches, read_instant
from reward_server.grading.numbers.exact_number import is_same_number, read_ground_truth, read_number
from reward_server.grading.numbers.not_mathematics import numeral_matches
from reward_server.grading.numbers.rounding import is_rounded
from reward_server.grading.numbers.spelling import plain_pair
from reward_server.grading.numbers.units import conversion, split_unit
from reward_server.grading.symbolic import algebra
from reward_server.grading.text.normalise import compact
from reward_server.grading.text.word_rule import word_matches

_TO_BE_COMPUTED = re.compile(
    r"\\(?:int|iint|iiint|oint|sum|prod|lim|det|d?binom|gcd|lcm|max|min|bmod|pmod|mod)(?![A-Za-z])|!|\\frac\{d\}\{d"
)
"""Operators that ask for a computation. An answer may use them only where the ground truth does."""

_NOT_ONE_VALUE = re.compile(
    r"[=<>,;&?]|\\\\|\\(?:le|ge|ne|in|approx|sim|simeq|cong|equiv|to|(?:long)?(?:right|left)arrow|(?:Long)?(?:Right|Left)arrow"
    r"|implies|iff|vee|wedge|lor|land|cap|cup|mid|pm|mp|text|[lc]?dots)(?![A-Za-z])"
)
"""What puts several things side by side. Math-Verify would pay the last side of `3 = 5`, in any braces."""
_INEQUALITIES = frozenset({"<", ">", "\\le", "\\ge"})


def compare_values(ground_truth: str, answer: str) -> bool | None:
    """Is `answer` the value `ground_truth`? Both normalised, neither a list nor another structure."""
    if compact(ground_truth) == compact(answer):
        return True
    if (verdict := instant_matches(read_instant(ground_truth), answer)) is not None:
        return verdict
    number = read_ground_truth(ground_truth)
    if number is not None and number.unit == "degree" and "\\pi" in answer:
        return bool(_by_algebra(ground_truth, answer))
    if number is not None:
        given = read_number(answer, number.unit)
        if given is not None or "10^" not in compact(ground_truth):  # a power may be written as another
            return is_same_number(number, given) if given is not None else is_rounded(number, answer)
    verdict = numeral_matches(ground_truth, answer)
    verdict = word_matches(ground_truth, ground_truth, answer) if verdict is None else verdict
    return _by_algebra(ground_truth, answer) if verdict is None else verdict


def _by_algebra(ground_truth: str, answer: str) -> bool | None:
    pair = plain_pair(ground_truth, answer)
    if pair is None:
        return False
    split = split_unit(ground_truth, is_ground_truth=True), split_unit(answer)
    if _has_other_signs(split[0][0], split[1][0]):
        return False
    if pair != (ground_truth, answer):
        split = split_unit(pair[0], is_ground_truth=True), split_unit(pair[1])
    (wanted, wanted_unit), (given, given_unit) = split
    if not (wanted_unit and given_unit):  # a percent sign may be added to a plain number only
        return False if given_unit == "%" and not wanted_unit else algebra.is_equal(wanted, given)
    factor = conversion(wanted_unit, given_unit)
    if factor is None:
        return False
    if factor == 1:
        return algebra.is_equal(wanted, given)
    scaled = f"({given})\\cdot\\frac{{{factor.numerator}}}{{{factor.denominator}}}"
    return bool(algebra.is_equal(wanted, scaled))


def _has_other_signs(wanted: str, given: str) -> bool:
    """Signs that the ground truth does without."""
    if "|" in given and (given.count("|") % 2 or "\\mid" in given) and "|" not in wanted:
        return True
    if _TO_BE_COMPUTED.search(given) and not _TO_BE_COMPUTED.search(wanted):
        return True
    others = set(_NOT_ONE_VALUE.findall(given))
    return bool(others) and not _alike(others) <= _alike(set(_NOT_ONE_VALUE.findall(wanted)))


def _alike(signs: set[str]) -> set[str]:
    """One sign of those that another form of the same thing may have instead: `3 > x` for `x < 3`."""
    return {"<" if sign in _INEQUALITIES else sign for sign in signs}
