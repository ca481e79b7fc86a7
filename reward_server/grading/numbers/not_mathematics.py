"""Ground truths that are not mathematics: a numeral in some base. Words have `word_rule`, choices `choices`.

Math-Verify would read a word as a product of letters (east = seat) and would ignore the base of a numeral. A rule
returns True or False when it decides, None when the ground truth is not of its kind. Input: normalised texts.
"""

from __future__ import annotations

import re
from fractions import Fraction

from reward_server.grading.numbers.exact_number import read_number
from reward_server.grading.text.flat_text import flat

_BASED = re.compile(
    r"([+-]?)\(?([+-]?)([0-9A-Z]+(?:\.[0-9A-Z]+)?|[0-9a-f]*[0-9][0-9a-f]*)\)?"
    r"(?:_(?:\{\(?([^{}()]*)\)?\}|([0-9]|[a-z]+))|,?\(?(?:in)?base([0-9a-z]+)\)?)"
)
_BASES = {
    name: base
    for base, name in enumerate(
        ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"], start=2
    )
} | {"sixteen": 16}


def numeral_matches(ground_truth: str, answer: str) -> bool | None:
    """`204_5`: same digits and same base, however said (`204_{\\text{five}}`, `204 \\text{ base } 5`). A bare `204` is
    another number."""
    wanted = _numeral(ground_truth)
    if wanted is None:
        return None
    given = _numeral(answer)
    if given is None and wanted[1] == 10 and (number := read_number(answer)) is not None:  # base ten is no other number
        return number.value == Fraction(wanted[0])
    return given == wanted


def _numeral(text: str) -> tuple[str, int] | None:
    """(sign and digits, base)"""
    if "_" not in text and "base" not in text:
        return None
    match = _BASED.fullmatch(flat(text, keep_braces=True).replace(" ", ""))
    if match is None:
        return None
    base = (match[4] or match[5] or match[6] or "").lower().removeprefix("base")
    value = int(base) if base.isascii() and base.isdecimal() and len(base) <= 2 else _BASES.get(base)
    return None if value is None else (_digits(match[1] + match[2], match[3].upper()), value)


def _digits(signs: str, digits: str) -> str:
    """As short as they can be written: `-1.10` is `-1.1`."""
    whole, point, places = digits.partition(".")
    places = places.rstrip("0")
    digits = (whole.lstrip("0") or "0") + (point + places if places else "")
    return "-" + digits if signs.count("-") == 1 and digits != "0" else digits
