"""Ground truths that are not mathematics: a numeral in some base, a word. Each has its own small rule.

Math-Verify would read a word as a product of letters (east = seat) and would ignore the base of a numeral. A rule
returns True or False when it decides, None when the ground truth is not of its kind. Input: normalised texts.
"""

from __future__ import annotations

import re
from fractions import Fraction

from reward_server.rewards.exact_number import read_number

_BASED = re.compile(
    r"([+-]?)\(?([+-]?)([0-9A-Z]+(?:\.[0-9A-Z]+)?)\)?"
    r"(?:_(?:\{\(?([^{}()]*)\)?\}|([0-9]|[a-z]+))|,?\(?(?:in)?base([0-9a-z]+)\)?)"
)
_TEXT = re.compile(r"\\text ?\{([^{}]*)\}")
_BASES = {
    name: base
    for base, name in enumerate(
        ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"], start=2
    )
} | {"sixteen": 16}

_WORD = re.compile(r"[^\W_][\w .:'’-]*")
_ARTICLE = re.compile(r"(?:an?|the) (?=[a-z]{2})")
_SHORT = 3


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
    match = _BASED.fullmatch(_flat(text, keep_braces=True).replace(" ", ""))
    if match is None:
        return None
    base = (match[4] or match[5] or match[6] or "").lower().removeprefix("base")
    value = int(base) if base.isascii() and base.isdecimal() and len(base) <= 2 else _BASES.get(base)
    return None if value is None else (_digits(match[1] + match[2], match[3]), value)


def _digits(signs: str, digits: str) -> str:
    """As short as they can be written: `-1.10` is `-1.1`."""
    whole, point, places = digits.partition(".")
    places = places.rstrip("0")
    digits = (whole.lstrip("0") or "0") + (point + places if places else "")
    return "-" + digits if signs.count("-") == 1 and digits != "0" else digits


def word_matches(raw_ground_truth: str, ground_truth: str, answer: str) -> bool | None:
    """A word, name, date or time: the same letters and digits in the same order, whatever the case and punctuation.

    Words are what the ground truth sets upright (`\\text{even}`), and bare runs of letters that no one reads as a
    product: four and more, or capitals (`BAC`). Shorter ones such as `xy` stay mathematics.
    """
    text = _flat(ground_truth)
    if not _WORD.fullmatch(text) or not any(character.isalpha() for character in text):
        return None
    upright = raw_ground_truth.lstrip().startswith(("\\text", "\\mbox", "\\math"))
    if not upright and not _is_bare_word(text):
        return None
    return _letters(text) == _letters(_flat(answer))


def _is_bare_word(text: str) -> bool:
    first = text.split()[0].rstrip(".:")
    return first.isalpha() and len(first) > 1 and (len(first) > _SHORT or not first.islower())


def _letters(text: str) -> str:
    """Without an article before it: `an ellipse`."""
    return "".join(character for character in _ARTICLE.sub("", text.casefold(), count=1) if character.isalnum())


def _flat(text: str, keep_braces: bool = False) -> str:
    """The text without `\\text{}` around its parts."""
    flat = " ".join(_TEXT.sub(r" \1 ", text).split())
    return flat if keep_braces else flat.replace("{", "").replace("}", "")
