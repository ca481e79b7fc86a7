"""Ratios, `6:8` for `3:4`, and ranges of whole numbers, `10-12`, which are two numbers and no difference.

A ratio may be unreduced and may have several parts. `4:30` may be a time of day: where it could be one and is not
reduced, or has a leading zero, its parts have to be the same. `7 R 3` is two numbers as well.
"""

from __future__ import annotations

import math
import re

from reward_server.grading.numbers.clock import is_time
from reward_server.grading.structures.structure import Read, Shape, gathered, value
from reward_server.grading.symbolic import algebra
from reward_server.grading.symbolic.equations import all_true
from reward_server.grading.text.brackets import split_top
from reward_server.grading.text.normalise import compact

_COLON = frozenset({":"})
_NUMBER = r"(?:\\\$ ?)?[0-9]+(?:\.[0-9]+)?"
_RANGE = re.compile(rf"({_NUMBER}) ?--? ?({_NUMBER}(?: ?(?:%|\\text ?\{{[^{{}}]*\}}| [a-z]{{2,}}))?)")
_CLOCK = re.compile(r"([0-9]{1,2}):([0-5][0-9])(:[0-5][0-9])?")
_LEADING_ZERO = re.compile(r"0[0-9]")
_HOURS = 24
_REMAINDER = re.compile(r"([0-9]+) ?,? ?(?:R|(?:\\text ?\{ ?)?(?:R|r|remainder|with remainder)(?: ?\}| )) ?([0-9]+)")


def read_ratio(text: str, read: Read) -> Shape | None:
    """`3:4`."""
    if ":" not in text or is_time(text):
        return None
    pieces, between = split_top(text, _COLON)
    return gathered("ratio", text, pieces, read) if between and all(pieces) else None


def read_range(text: str) -> Shape | None:
    """`10-12`."""
    if "-" not in text or not (match := _RANGE.fullmatch(text)):
        return None
    return Shape("range", text, (value(match[1]), value(match[2])))


def read_remainder(text: str) -> Shape | None:
    """`7 \\text{ R } 3`: 7, and 3 is left."""
    match = _REMAINDER.fullmatch(text) if "R" in text or "r" in text else None
    return Shape("remainder", text, (value(match[1]), value(match[2]))) if match else None


def same_ratio(ground_truth: Shape, answer: Shape) -> bool | None:
    """Are the parts the same multiples of each other? None: it has to be decided part by part."""
    wanted, given = ([part.text for part in shape.parts] for shape in (ground_truth, answer))
    if any(_LEADING_ZERO.match(text) for text in wanted):  # 3:05 is not 3:5
        return list(map(compact, wanted)) == list(map(compact, given))
    if _is_clock(ground_truth.text) or len(wanted) != len(given):
        return None
    if [_is_zero(text) for text in wanted] != [_is_zero(text) for text in given]:  # 0:1 and 0:0
        return False
    pairs = list(zip(wanted, given, strict=True))
    one, c = next(
        (pair for pair in pairs if not _is_zero(pair[0])), pairs[0]
    )  # each is compared with it, not with each
    return all_true(algebra.is_equal(f"({one})({d})", f"({other})({c})") for other, d in pairs)


def _is_zero(text: str) -> bool:
    return algebra.image(text) == algebra.image("0")


def _is_clock(text: str) -> bool:
    """May it be a time of day?"""
    match = _CLOCK.fullmatch(compact(text))
    if match is None or int(match[1]) > _HOURS:
        return False
    return match[3] is not None or math.gcd(int(match[1]), int(match[2])) > 1
