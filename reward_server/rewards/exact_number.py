"""Plain numbers, read exactly: `42`, `-3.50`, `10,080`, `\\frac{3}{4}`, `3/4`, `1\\frac{4}{5}`, `6.7 \\cdot 10^{-5}`,
`0.\\overline{3}`, `0.\\dot{3}`, `-(3/2)`, `1.5 \\text{ million}`, `25^\\circ 30'`; with an optional unit, currency,
degree or percent sign.

Input is normalised text (see `normalise`). Nothing is computed but what the notation says: `2+2`, `2^{10}` and `5!` are
no plain numbers. Not covered: decimal commas (`3,5` is a list), numbers in words, Roman numerals.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from reward_server.rewards.units import is_unit, split_unit

MAX_CHARS = 4000
"""Longer texts are not read: Python refuses to read more than 4,300 digits at once."""

MAX_EXPONENT = 1000
"""Powers of ten beyond 10^±1000 are not read: their digits would cost memory for nothing."""

_SIGN = r"(?P<sign>[+-]?) ?"
_GROUPED = r"[1-9][0-9]{0,2}(?:,[0-9]{3})+|[1-9][0-9]{0,2}(?: [0-9]{3})+|[0-9]+"
_DECIMAL = rf"(?:(?:{_GROUPED})(?:\.[0-9]*)?|\.[0-9]+)"
_SIGNED = rf"[+-]? ?{_DECIMAL}"
_PLAIN = re.compile(rf"{_SIGN}(?P<number>{_DECIMAL})")
_FRACTION = re.compile(
    rf"{_SIGN}(?:(?P<whole>{_GROUPED}) ?)?\\frac\{{ ?(?P<top>{_SIGNED}) ?\}}\{{ ?(?P<bottom>{_SIGNED}) ?\}}"
)
_SLASHED = re.compile(rf"{_SIGN}(?:(?P<whole>[0-9]+) )?(?P<top>{_DECIMAL}) ?/ ?(?P<bottom>{_SIGNED})")
_POWER = re.compile(
    rf"{_SIGN}(?:(?P<number>{_DECIMAL}) ?(?:\\cdot|\*|x) ?)?"
    rf"10 ?\^ ?(?:\{{ ?(?P<exp>[+-]?[0-9]{{1,4}}) ?\}}|(?P<exp1>[0-9]))"
)
_E_NOTATION = re.compile(rf"{_SIGN}(?P<number>{_DECIMAL})[eE](?P<exp>[+-]?[0-9]{{1,4}})")
_REPEATING = re.compile(rf"{_SIGN}(?P<head>[0-9]*\.[0-9]*)\\(?:overline|bar)\{{(?P<cycle>[0-9]+)\}}")
_DOTTED = re.compile(r"\\dot ?\{?([0-9])\}?(?:([0-9]*)\\dot ?\{?([0-9])\}?)?$")
_ANGLE = re.compile(
    rf"{_SIGN}(?P<degrees>[0-9]+) ?\^\\circ ?(?P<minutes>[0-5]?[0-9]) ?'(?: ?(?P<seconds>[0-5]?[0-9]) ?'')?"
)
_BRACKETED = re.compile(r"([+-]?) ?\(([^(),]*)\)")
_LETTERED = re.compile(r"(.*[0-9}]) ?([A-Za-z](?:\^[23])?)")
_SCALED = re.compile(r"(.*[0-9]) ?(?:\\text ?\{ ?)?(hundred|thousand|million|billion|trillion) ?\}?")
_SCALES = {"hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}


@dataclass(frozen=True, slots=True)
class Number:
    """An exact number as written: `25\\%` is (25, "%"), `\\$36` is (36, "dollar"); no unit is ""."""

    value: Fraction
    unit: str


def read_number(text: str, expected_unit: str = "") -> Number | None:
    """The plain number that `text` is, or None. `expected_unit`: may stand behind it as a bare letter (`5 m^2`)."""
    if len(text) > MAX_CHARS:
        return None
    if match := _ANGLE.fullmatch(text):
        return Number(_angle(match), "degree")
    body, unit = split_unit(text)
    if expected_unit and not unit and (match := _LETTERED.fullmatch(body)) and is_unit(match[2], expected_unit):
        body, unit = match[1], expected_unit
    value = _value(body)
    return None if value is None else Number(value, unit)


def is_same_number(ground_truth: Number, answer: Number) -> bool:
    """Exactly equal; a unit may be missing on one side, but two units must agree.

    A percentage equals its decimal (25 % = 0.25). A percent sign may also be missing or added (25 for 25 %, 40 % for
    40), since the question usually says "what percent"; below 1 it may not be added: 0.25 % is not 0.25.
    """
    if ground_truth.unit and answer.unit and ground_truth.unit != answer.unit:
        return False
    same = ground_truth.value == answer.value
    if ground_truth.unit == answer.unit or "%" not in (ground_truth.unit, answer.unit):
        return same
    if ground_truth.unit == "%":
        return same or answer.value * 100 == ground_truth.value
    return answer.value == ground_truth.value * 100 or (same and abs(ground_truth.value) >= 1)


def _value(text: str) -> Fraction | None:
    if match := _SCALED.fullmatch(text):
        value = _written(match[1])
        return None if value is None else value * _SCALES[match[2]]
    if match := _BRACKETED.fullmatch(text):  # -(3/2)
        value = _written(match[2].strip())
        return None if value is None else -value if match[1] == "-" else value
    return _written(text)


def _written(text: str) -> Fraction | None:
    text = _DOTTED.sub(r"\\overline{\1\2\3}", text)
    if match := _PLAIN.fullmatch(text):
        return _signed(match, _decimal(match["number"]))
    if match := _FRACTION.fullmatch(text) or _SLASHED.fullmatch(text):
        return _fraction(match)
    if match := _E_NOTATION.fullmatch(text):
        return _power_of_ten(match, match["exp"])
    if match := _POWER.fullmatch(text):
        return _power_of_ten(match, match["exp"] or match["exp1"])
    if match := _REPEATING.fullmatch(text):
        return _repeating(match)
    return None


def _decimal(text: str) -> Fraction:
    """Digits, perhaps grouped, perhaps with a point."""
    return Fraction(text.replace(",", "").replace(" ", "").removesuffix("."))


def _signed(match: re.Match[str], value: Fraction) -> Fraction:
    return -value if match["sign"] == "-" else value


def _fraction(match: re.Match[str]) -> Fraction | None:
    """A fraction or a mixed number. Behind a whole number only a proper fraction adds; else it may be a product."""
    top, bottom = _decimal(match["top"]), _decimal(match["bottom"])
    if bottom == 0:
        return None
    if match["whole"] is None:
        return _signed(match, top / bottom)
    if not 0 < top < bottom:
        return None
    return _signed(match, _decimal(match["whole"]) + top / bottom)


def _power_of_ten(match: re.Match[str], exponent: str) -> Fraction | None:
    if abs(int(exponent)) > MAX_EXPONENT:
        return None
    return _signed(match, _decimal(match["number"] or "1") * Fraction(10) ** int(exponent))


def _angle(match: re.Match[str]) -> Fraction:
    """25^\\circ 30' is 25.5 degrees."""
    minutes = int(match["minutes"]) + Fraction(int(match["seconds"] or 0), 60)
    return _signed(match, int(match["degrees"]) + minutes / 60)


def _repeating(match: re.Match[str]) -> Fraction:
    """0.1\\overline{23} = 0.1 + 0.023 / (1 - 10^-2)."""
    cycle = match["cycle"]
    places = len(match["head"]) - match["head"].index(".") - 1
    head = _decimal(f"0{match['head']}0")
    return _signed(match, head + Fraction(int(cycle), 10**places * (10 ** len(cycle) - 1)))
