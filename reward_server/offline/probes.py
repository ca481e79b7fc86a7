"""Answers that a ground truth must not pay: itself with one digit changed, and constants that say nothing.

Some changes are no change (`\\binom{15}{7}` is `\\binom{15}{8}`). So values are compared here once more, by a reader of
rational arithmetic that shares no code with the verifier. What it cannot read it leaves open.
Not covered: roots, constants, letters, functions; times, dates, numerals in a base.
"""

from __future__ import annotations

import re
from fractions import Fraction
from math import comb, factorial

CONSTANTS = ("1=2", "0")
"""`1=2` holds for nothing, and was once paid for every equation without solutions."""
PLACES = 4
"""At so many digits a ground truth is changed."""

_LAYOUT = re.compile(r"\[\s*-?[0-9.]+\s*(?:pt|em|ex|mm|cm)\s*\]|\\[hv]space\*?\{[^{}]*\}|\\color\{[^{}]*\}")
_DIGIT = re.compile(r"[0-9]")
_NOISE = re.compile(r"\\left(?![A-Za-z])|\\right(?![A-Za-z])|\\displaystyle|\\[,;!: ]|\s+|\$|\\[{}]")
_UNIT = re.compile(r"(?:\^\{?\\circ\}?|\\?%|\\(?:text|mathrm|mbox)\{[^{}0-9]*\}|\\\$)+")
_TOKEN = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+(?:\.[0-9]+)?|\.[0-9]+|\\[A-Za-z]+|.")
_WORD = re.compile(r"(?:\\text)?[{(]?[\w\s.]*[)}]?")
_NAME = re.compile(r"\\?[A-Za-z]+")
_TIMES = frozenset({"*", "\\cdot", "\\times"})
_CLOSES = {"(": ")", "{": "}"}
_MAX_EXPONENT, _MAX_FACTORIAL, _MAX_BITS, _MAX_CHARS = 5000, 2000, 100_000, 400


class _NotRead(Exception):
    """No rational arithmetic."""


def changed(ground_truth: str) -> list[str]:
    """The ground truth with one digit changed: at the first digit, the last, and two between; digits of layout stay."""
    layout = [range(*match.span()) for match in _LAYOUT.finditer(ground_truth)]
    places = [match.start() for match in _DIGIT.finditer(ground_truth)]
    places = [place for place in places if not any(place in span for span in layout)]
    last = len(places) - 1
    chosen = sorted({round(step * last / (PLACES - 1)) for step in range(PLACES)}) if places else []
    return [_with_other_digit(ground_truth, places[number]) for number in chosen]


def plus_one(ground_truth: str) -> list[str]:
    """The ground truth with 1 added, where it has no digit to change and is no word or letter."""
    return [] if _DIGIT.search(ground_truth) or _WORD.fullmatch(ground_truth) else [f"({ground_truth})+1"]


def _with_other_digit(text: str, place: int) -> str:
    digit = int(text[place])
    return f"{text[:place]}{digit - 1 if digit == 9 else digit + 1}{text[place + 1 :]}"


def is_other_value(ground_truth: str, answer: str) -> bool | None:
    """Is the answer certainly another value than the ground truth, or certainly the same? None: not to be told here."""
    if answer == CONSTANTS[0]:
        return True
    sides = [text.rpartition("=") for text in (ground_truth, answer)]
    if sides[0][0] == sides[1][0] or _is_named(sides[0][0]) and not sides[1][1]:  # x=5 and 5
        ground_truth, answer = sides[0][2], sides[1][2]
    wanted, given = _values(ground_truth), _values(answer)
    return None if wanted is None or given is None else wanted != given


def _is_named(left: str) -> bool:
    return _NAME.fullmatch(left.strip()) is not None


def _values(text: str) -> list[Fraction] | None:
    """The value of a text, or those of a list or set, in order of size; None where one is not read."""
    is_set = "\\{" in text
    text = _NOISE.sub("", _UNIT.sub("", text))
    whole = _value(text)
    if whole is not None:
        return [whole]
    inside = text[1:-1] if text[:1] in "([" and text[-1:] in ")]" else text
    values = [_value(piece) for piece in re.split(r"[,;:]", inside)]
    known = [value for value in values if value is not None]
    return None if len(known) < len(values) else sorted(set(known) if is_set else known)


def _value(text: str) -> Fraction | None:
    if not text or len(text) > _MAX_CHARS:
        return None
    try:
        reader = _Reader(text)
        value = reader.sum()
        return value if reader.token == "" else None
    except (_NotRead, ZeroDivisionError, RecursionError):
        return None


class _Reader:
    """Reads one expression from the left; `token` is the next one, "" at the end."""

    def __init__(self, text: str) -> None:
        self._tokens = [*_TOKEN.findall(text), ""]
        self._at = 0

    @property
    def token(self) -> str:
        token: str = self._tokens[self._at]
        return token

    def sum(self) -> Fraction:
        total = self._signed()
        while self.token in ("+", "-"):
            total += self._signed()
        return total

    def _signed(self) -> Fraction:
        sign = 1
        while self.token in ("+", "-"):
            sign *= -1 if self._take() == "-" else 1
        return sign * self._product()

    def _product(self) -> Fraction:
        result = self._power()
        while self.token not in ("", "+", "-", ")", "}"):
            if self.token in _TIMES:
                self._take()
                result *= self._power()
            elif self.token in ("/", "\\div"):
                self._take()
                result /= self._power()
            elif self.token == "(":
                result *= self._power()
            else:
                raise _NotRead
        return result

    def _power(self) -> Fraction:
        base = self._base()
        while self.token in ("^", "!"):
            base = _raised(base, self._argument()) if self._take() == "^" else Fraction(factorial(_whole(base)))
        return base

    def _base(self) -> Fraction:
        token = self._take()
        if token in _CLOSES:
            value = self.sum()
            if self._take() != _CLOSES[token]:
                raise _NotRead
            return value
        if token in ("\\frac", "\\dfrac", "\\tfrac"):
            return self._argument() / self._argument()
        if token in ("\\binom", "\\dbinom"):
            return Fraction(comb(_whole(self._argument()), _whole(self._argument())))
        if token[:1].isdecimal() or (token[:1] == "." and len(token) > 1):
            return self._number(token)
        raise _NotRead

    def _number(self, token: str) -> Fraction:
        if self.token in ("\\frac", "\\dfrac", "\\tfrac"):  # a mixed number, or a product
            raise _NotRead
        return Fraction(token.replace(",", ""))

    def _argument(self) -> Fraction:
        """What stands in braces; without them one digit."""
        if self.token == "{":
            return self._base()
        if not self.token[:1].isdecimal() or "." in self.token:
            raise _NotRead
        digit, rest = self.token[0], self.token[1:]
        self._tokens[self._at : self._at + 1] = [rest] if rest else []
        return Fraction(digit)

    def _take(self) -> str:
        token: str = self.token
        self._at += 1
        if token == "":
            raise _NotRead
        return token


def _whole(value: Fraction) -> int:
    if value.denominator != 1 or not 0 <= value <= _MAX_FACTORIAL:
        raise _NotRead
    return int(value)


def _raised(base: Fraction, exponent: Fraction) -> Fraction:
    size = max(base.numerator.bit_length(), base.denominator.bit_length())
    if exponent.denominator != 1 or abs(exponent) > _MAX_EXPONENT or size * abs(exponent) > _MAX_BITS:
        raise _NotRead
    return Fraction(base ** int(exponent))
