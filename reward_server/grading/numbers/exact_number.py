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

from reward_server.grading.numbers.units import conversion, letter_unit, split_unit

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
_COMPOUND = re.compile(r"([+-]?) ?\\frac\{([^{}]*)\}\{([^{}]*)\}")
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
_QUANTITY = re.compile(rf"({_DECIMAL}) ?(?:\\text ?\{{ ?)?([A-Za-z]+)\.? ?((?:, ?)?(?:\}} ?(?:, ?)?)?)")
_SECOND_UNIT = re.compile(r"[0-9] ?[A-Za-z\\][^0-9]*[0-9.]+ ?(?:\\text ?\{ ?)?[A-Za-z]+")
_FEWEST, _MAX_QUANTITY, _ROUNDED_DIGITS = 2, 100, 3
_MAY_HAVE_COMMA = frozenset({"day", "hour", "minute", "dollar", "euro", "rupee", "year", "pound-sterling", "week"})
"""Of others `5 m, 20 cm` may be a list."""
_SCALES = {
    "dozen": 12,
    "hundred": 10**2,
    "thousand": 10**3,
    "lakh": 10**5,
    "million": 10**6,
    "crore": 10**7,
    "billion": 10**9,
    "trillion": 10**12,
}
_SCALED = re.compile(rf"(.*[0-9]) ?(?:\\text ?\{{ ?)?({'|'.join(_SCALES)})s? ?\}}?")


@dataclass(frozen=True, slots=True)
class Number:
    """An exact number as written: `25\\%` is (25, "%"), `\\$36` is (36, "dollar"); no unit is "".

    `places`: how many decimals a ground truth has that may be rounded (a plain decimal of three digits and more), or 0.
    """

    value: Fraction
    unit: str
    places: int = 0


def read_number(text: str, expected_unit: str = "") -> Number | None:
    """The plain number that `text` is, or None. `expected_unit`: may stand behind it as a bare letter (`5 m^2`)."""
    if len(text) > MAX_CHARS:
        return None
    if match := _ANGLE.fullmatch(text):
        return Number(_angle(match), "degree")
    body, unit = split_unit(text, is_number=True)
    if expected_unit and not unit and (match := _LETTERED.fullmatch(body)):
        unit = letter_unit(match[2], expected_unit)
        body = match[1] if unit else body
    value = _value(body)
    if value is None:
        return _read_quantity(text)
    return Number(value, unit)


def read_ground_truth(text: str) -> Number | None:
    """The same for a ground truth: upright words behind it are its unit, and it may have been rounded."""
    if len(text) > MAX_CHARS:
        return None
    if match := _ANGLE.fullmatch(text):
        return Number(_angle(match), "degree")
    body, unit = split_unit(text, is_ground_truth=True, is_number=True)
    value = _value(body)
    return _read_quantity(text) if value is None else Number(value, unit, _places(body))


def is_same_number(ground_truth: Number, answer: Number) -> bool:
    """Exactly equal, or what was rounded to the ground truth; a unit may be missing on one side.

    Two units are converted where they have one dimension; else they must agree. A percentage equals its decimal
    (25 % = 0.25). A percent sign may also be missing (25 for 25 %), or be added to a number above 1 (40 % for 40),
    since the question usually says "what percent"; 0.25 % is not 0.25, nor 1 % 1.
    """
    if "%" in (ground_truth.unit, answer.unit) and ground_truth.unit != answer.unit:
        return _is_same_share(ground_truth, answer)
    value: Fraction = answer.value
    if ground_truth.unit and answer.unit:
        factor = conversion(ground_truth.unit, answer.unit)
        if factor is None:
            return False
        value *= factor
    return rounds_to(ground_truth, value)


def rounds_to(ground_truth: Number, value: Fraction) -> bool:
    """Equal, or equal when rounded to the ground truth's places, halves up or to even."""
    if value == ground_truth.value:
        return True
    if not ground_truth.places or value * ground_truth.value < 0:
        return False
    steps = (abs(value) - abs(ground_truth.value)) * 10**ground_truth.places
    if steps == Fraction(1, 2):  # 0.125 is 0.12 to even
        return bool(abs(ground_truth.value) * 10**ground_truth.places % 2 == 0)
    return bool(Fraction(-1, 2) <= steps < Fraction(1, 2))


def _is_same_share(ground_truth: Number, answer: Number) -> bool:
    """One of both is a percentage, the other has another unit or none."""
    if ground_truth.unit and answer.unit:
        return False
    if ground_truth.unit:
        return rounds_to(ground_truth, answer.value) or rounds_to(ground_truth, answer.value * 100)
    is_above_1 = abs(ground_truth.value) > 1
    return rounds_to(ground_truth, answer.value / 100) or (is_above_1 and rounds_to(ground_truth, answer.value))


def _places(text: str) -> int:
    """Of a plain decimal with three digits and more."""
    match = _PLAIN.fullmatch(text)
    whole, point, places = match["number"].partition(".") if match else ("", "", "")
    digits = (whole.replace(",", "").replace(" ", "") + places).lstrip("0")
    return len(places) if point and len(digits) >= _ROUNDED_DIGITS else 0


def _read_quantity(text: str) -> Number | None:
    """`1 hour 20 minutes`, `3 \\text{ dollars}, 75 \\text{ cents}`: each part is less than one of the unit before."""
    if len(text) > _MAX_QUANTITY or not _SECOND_UNIT.search(text):
        return None
    parts = [match.groups() for match in _QUANTITY.finditer(text)]
    if len(parts) < _FEWEST or "".join(match.group() for match in _QUANTITY.finditer(text)) != text:
        return None
    total, largest, before = Fraction(0), "", Fraction(0)
    for number, words, behind in parts:
        unit, between = _unit_of(words, largest), "," in behind
        factor = conversion(largest, unit) if largest and unit else Fraction(1) if unit else None
        if factor is None or (between and (largest or unit) not in _MAY_HAVE_COMMA):
            return None
        if largest and not (factor < before and _decimal(number) * factor < before):
            return None
        largest, before = largest or unit, factor
        total += _decimal(number) * factor
    return Number(total, largest)


def _unit_of(words: str, largest: str) -> str:
    if largest == "hour" and words == "m":  # 2h 15m
        return "minute"
    return split_unit(f"1 \\text{{{words}}}")[1]


def _value(text: str) -> Fraction | None:
    if match := _SCALED.fullmatch(text):
        value = _written(match[1])
        return None if value is None else value * _SCALES[match[2]]
    if match := _BRACKETED.fullmatch(text):  # -(3/2)
        value = _written(match[2].strip())
        return None if value is None else -value if match[1] == "-" else value
    return _written(text)


def _written(text: str) -> Fraction | None:
    if text.endswith("_{10}"):  # base ten is no other number
        text = text[:-5].rstrip()
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
    return _compound(text) if "/" in text else None


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


def _compound(text: str) -> Fraction | None:
    """`\\frac{5/2}{4}`"""
    match = _COMPOUND.fullmatch(text)
    top, bottom = (_written(part.strip()) for part in match.groups()[1:]) if match else (None, None)
    if match is None or top is None or not bottom:
        return None
    return -top / bottom if match[1] == "-" else top / bottom


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
