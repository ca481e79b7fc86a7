"""The value of a closed form, for ground truths that may be rounded: `\\frac{\\sqrt{7}}{4}`, `18\\pi`, `\\arctan 2`.

Read: numbers, `+ - · / ^`, fractions, roots, π, e, logarithms with a base, `\\ln`, trigonometric functions and their
inverses, degrees. Rational values are exact fractions, others floats (15 digits). Not covered (None): letters, `\\log`
without a base, sums, integrals, factorials, binomials, values that are not real.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from fractions import Fraction

Real = Fraction | float

_TOKEN = re.compile(r" *(\\[A-Za-z]+|[0-9]+(?:\.[0-9]*)?|\.[0-9]+|\^\\circ|.)")
_MAX_CHARS, _MAX_DEPTH, _MAX_EXPONENT, _MAX_BITS, _MAX_ROOT = 200, 12, 200, 4000, 6
_CLOSES = {"(": ")", "{": "}", "[": "]"}
_FUNCTIONS: dict[str, Callable[[float], float]] = {
    "\\sin": math.sin,
    "\\cos": math.cos,
    "\\tan": math.tan,
    "\\cot": lambda x: 1 / math.tan(x),
    "\\sec": lambda x: 1 / math.cos(x),
    "\\csc": lambda x: 1 / math.sin(x),
    "\\arcsin": math.asin,
    "\\arccos": math.acos,
    "\\arctan": math.atan,
    "\\sinh": math.sinh,
    "\\cosh": math.cosh,
    "\\tanh": math.tanh,
    "\\ln": math.log,
    "\\lg": math.log10,
    "\\exp": math.exp,
}
_INVERSE = {"\\sin": math.asin, "\\cos": math.acos, "\\tan": math.atan}
_ENDS = frozenset({"", "+", "-", ")", "}", "]", "/", "*", "\\cdot", ","})


class _NotReadError(Exception):
    """The text is no closed form that is read here."""


def value_of(text: str) -> Real | None:
    """The value of a normalised text; None where it is not read, or has no real value."""
    if len(text) > _MAX_CHARS:
        return None
    try:
        reader = _Reader(text)
        result = reader.sum()
        is_whole = reader.peek() == "" and (isinstance(result, Fraction) or math.isfinite(result))
    except (_NotReadError, ArithmeticError, ValueError):
        return None
    return result if is_whole else None


class _Reader:
    """Reads one expression from the left; each method consumes what it names."""

    def __init__(self, text: str) -> None:
        self._text, self._at, self._depth = text, 0, 0

    def sum(self) -> Real:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise _NotReadError
        sign = self._take() if self.peek() in ("+", "-") else "+"
        total = self._product() * (-1 if sign == "-" else 1)
        while self.peek() in ("+", "-"):
            total = total + self._product() if self._take() == "+" else total - self._product()
        self._depth -= 1
        return total

    def _product(self) -> Real:
        result = self._power()
        while (token := self.peek()) not in {"", "+", "-", ")", "}", "]", ","}:
            if token in {"*", "\\cdot"}:
                self._take()
                result = result * self._power()
            elif token == "/":
                self._take()
                result = result / self._power()
            elif token[0] in "0123456789.":
                raise _NotReadError
            else:
                result = result * self._power()
            _check(result)
        return result

    def _power(self) -> Real:
        base = self._base()
        while self.peek() in ("^", "^\\circ"):
            base = base * math.pi / 180 if self._take() == "^\\circ" else _raised(base, self._exponent())
        return base

    def _exponent(self) -> Real:
        token = self._take()
        if token == "{":
            return self._group("{")
        if len(token) > 1 and token[0] != "\\":  # x^12 reads in two ways
            raise _NotReadError
        return self._atom(token)

    def _base(self) -> Real:
        token = self._take()
        if token in {"(", "{", "["}:
            return self._group(token)
        if token == "\\frac":
            return self._argument() / self._argument()
        if token == "\\sqrt":
            return self._root()
        if token == "\\log":
            return self._logarithm()
        if token in _FUNCTIONS:
            return self._applied(token)
        return self._atom(token)

    def _atom(self, token: str) -> Real:
        if token == "\\pi":
            return math.pi
        if token == "e":
            return math.e
        if not token or token[0] not in "0123456789." or token == "." or not token.isascii():
            raise _NotReadError
        return Fraction(token)

    def _root(self) -> Real:
        index = Fraction(2)
        if self.peek() == "[":
            self._take()
            read = self._group("[")
            if not isinstance(read, Fraction) or read.denominator != 1 or not 1 < read < _MAX_EXPONENT:
                raise _NotReadError
            index = read
        return _root_of(self._argument(), int(index))

    def _logarithm(self) -> Real:
        if self._take() != "_":
            raise _NotReadError
        token = self._take()
        base = self._group("{") if token == "{" else self._atom(token)
        return math.log(self._behind_function()) / math.log(base)

    def _applied(self, name: str) -> Real:
        function, exponent = _FUNCTIONS[name], Fraction(1)
        if self.peek() == "^":
            self._take()
            raised = self._exponent()
            if raised == -1 and name in _INVERSE:
                function = _INVERSE[name]
            elif isinstance(raised, Fraction) and raised.denominator == 1 and raised > 0:
                exponent = raised
            else:
                raise _NotReadError
        return _raised(function(self._behind_function()), exponent)

    def _behind_function(self) -> float:
        """In brackets, or what is multiplied up to the next sign or function."""
        if self.peek() in {"(", "{"}:
            return float(self._group(self._take()))
        result = self._power()
        while self.peek() not in _ENDS and self.peek() not in _FUNCTIONS and self.peek() != "\\log":
            result = result * self._power()
        return float(result)

    def _argument(self) -> Real:
        if self._take() != "{":
            raise _NotReadError
        return self._group("{")

    def _group(self, opening: str) -> Real:
        value = self.sum()
        if self._take() != _CLOSES[opening]:
            raise _NotReadError
        return value

    def peek(self) -> str:
        match = _TOKEN.match(self._text, self._at)
        return match[1].strip() if match else ""

    def _take(self) -> str:
        match = _TOKEN.match(self._text, self._at)
        if match is None:
            raise _NotReadError
        self._at = match.end()
        return match[1]


def _raised(base: Real, exponent: Real) -> Real:
    if not base and not exponent:
        raise _NotReadError
    if isinstance(base, Fraction) and isinstance(exponent, Fraction):
        if exponent.denominator == 1 and abs(exponent) <= _MAX_EXPONENT:
            return _check(Fraction(base) ** exponent.numerator)
        if 1 < exponent.denominator <= _MAX_ROOT:
            return _raised(_root_of(base, exponent.denominator), Fraction(exponent.numerator))
    result: float | complex = float(base) ** float(exponent)
    if isinstance(result, complex):
        raise _NotReadError
    return result


def _root_of(value: Real, index: int) -> Real:
    """Exact where it is rational."""
    if value < 0:
        if index % 2 == 0:
            raise _NotReadError
        return -_root_of(-value, index)
    if isinstance(value, Fraction):
        top, bottom = (round(part ** (1 / index)) for part in value.as_integer_ratio())
        if top**index == value.numerator and bottom**index == value.denominator:
            return Fraction(top, bottom)
    return float(float(value) ** (1 / index))


def _check(value: Real) -> Real:
    """Fractions stay small."""
    if isinstance(value, Fraction) and value.numerator.bit_length() + value.denominator.bit_length() > _MAX_BITS:
        raise _NotReadError
    return value
