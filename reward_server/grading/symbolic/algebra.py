"""Are two expressions equal? Decided by their images in a finite field, in microseconds where SymPy takes milliseconds.

Read: whole numbers, decimals, `+ - · /`, whole powers, factorials and binomials of whole numbers, square roots of
rational numbers, i, and letters (also π and e, between which no relation can be written here). Evaluating such an
expression in a field, each letter at some element, is a homomorphism: equal expressions have equal images, whatever
the field and the elements. So both are secrets of the process: its prime, of 190 bits, and the letters' elements are
drawn at its start. Unequal expressions then have equal images with a chance below 1e-30 (Schwartz 1980, Zippel 1979:
degree / P; a number of 2^80 bits has at most 2^73 prime factors of 190 bits, of 2^181), and nobody can compute a pair
that collides. Expressions that could be larger are not read.

Not covered (None, Math-Verify decides): functions, other roots and powers, roots of letters, absolute values,
relations, and what reads in two ways: `1/2x`, `x^10`, `3\\frac{x}{2}`, `f(x)`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import comb, factorial

from reward_server.grading.symbolic.field import (
    ONE,
    UNIT,
    ZERO,
    Element,
    P,
    element,
    inverse,
    plus,
    power,
    root_of,
    times,
)

_TOKEN = re.compile(r" *(\\[A-Za-z]+|[0-9]+(?:\.[0-9]*)?|\.[0-9]+|[A-Za-z](?:_(?:[0-9A-Za-z]|\{[^{}]*\}))?|.)")
_EXPONENT = re.compile(r" *\^ *(?:([0-9])(?![0-9])|\{ *(-?[0-9]{1,24}) *\})")
_GREEK = "alpha beta gamma delta epsilon zeta eta theta kappa lambda mu nu xi pi rho sigma tau phi chi psi omega"
_LETTERS = frozenset(f"\\{name}" for name in _GREEK.split())
CONSTANTS = frozenset({"\\pi", "e", "i"})
_FUNCTION_NAMES = frozenset("fghFGHP")
_NUMERIC = frozenset("0123456789.")
_TIMES, _CLOSES = frozenset({"*", "\\cdot"}), {"(": ")", "{": "}"}
_MAX_DEPTH, _MAX_DIGITS = 24, 1000
_MAX_EXACT_BITS = 512
_MAX_BITS = 2**80
_MAX_FACTORIAL, _MAX_WORK = 5000, 10_000
"""The largest number whose factorial is read, and how large they may be together: 10,000 is half a millisecond."""


class _NotCovered(Exception):
    """The text is no expression that is read here."""


@dataclass(frozen=True, slots=True)
class _Value:
    """An expression's image as a fraction, its exact value while that is a small rational number, and its size.

    `bits` bounds the bits of numerator and denominator, and their degree in the letters.
    """

    top: Element
    bottom: Element = ONE
    rational: Fraction | None = None
    bits: int = 1


@dataclass(frozen=True, slots=True)
class Reading:
    """An expression at one point: a fraction in the field, not reduced, its letters but π, e and i, and its exact value
    where it has no letters and roots, and is not large."""

    top: Element
    bottom: Element
    letters: frozenset[str]
    rational: Fraction | None


def is_equal(ground_truth: str, answer: str) -> bool | None:
    """Are two normalised expressions equal? None when either is not covered."""
    wanted, given = reading(ground_truth), reading(answer)
    if wanted is None or given is None:
        return None
    return times(wanted.top, given.bottom) == times(given.top, wanted.bottom)


def image(text: str) -> Element | None:
    """One element for all expressions that are equal; None when it is not covered."""
    found = reading(text)
    return None if found is None else times(found.top, inverse(found.bottom))


def reading(text: str, point: int = 0) -> Reading | None:
    """A normalised expression at one of several points; None when it is not covered."""
    found = _read_at(text, 0)
    return _read_at(text, point) if point and found is not None and found.letters else found


@lru_cache(maxsize=4096)
def _read_at(text: str, point: int) -> Reading | None:
    try:
        reader = _Reader(text, point)
        value = reader.sum()
    except (_NotCovered, ZeroDivisionError):
        return None
    return Reading(value.top, value.bottom, frozenset(reader.letters), value.rational) if reader.at_end() else None


def rational(text: str) -> Fraction | None:
    """The exact value of an expression without letters and roots; None when it has some, or is large."""
    found = reading(text)
    return None if found is None else found.rational


class _Reader:
    """Reads one expression from the left; each method consumes what it names."""

    def __init__(self, text: str, point: int) -> None:
        self._text = text
        self._point = point
        self._at = 0
        self._depth = 0
        self._work = 0
        self.letters: set[str] = set()

    def at_end(self) -> bool:
        return self._peek() == ""

    def sum(self) -> _Value:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise _NotCovered
        sign = self._take() if self._peek() in ("+", "-") else "+"
        total = _signed(sign, self._product())
        while self._peek() in ("+", "-"):
            total = _added(total, _signed(self._take(), self._product()))
        self._depth -= 1
        return total

    def _product(self) -> _Value:
        result = self._power()
        divided = False
        while (token := self._peek()) and token not in "+-)}":
            if token in _TIMES:
                self._take()
                result, divided = _multiplied(result, self._power()), False
            elif token == "/":
                self._take()
                result, divided = _divided(result, self._power()), True
            elif divided or token[0] in _NUMERIC:  # 1/2x, x2: both read in two ways
                raise _NotCovered
            else:
                result = _multiplied(result, self._power())
        return result

    def _power(self) -> _Value:
        base = self._base()
        if self._peek() == "!":
            base = self._factorial(base)
        match = _EXPONENT.match(self._text, self._at)
        if match is not None:
            self._at = match.end()
            return _raised(base, int(match[1] or match[2]))
        if self._peek() != "^":
            return base
        self._take()
        return _raised(base, _whole(self._argument()))

    def _factorial(self, base: _Value) -> _Value:
        self._take()
        number = _whole(base)
        self._spend(number)
        if self._peek() == "!":  # 5!! is 5·3·1
            raise _NotCovered
        return _large(factorial(number))

    def _spend(self, number: int) -> None:
        self._work += number
        if not 0 <= number <= _MAX_FACTORIAL or self._work > _MAX_WORK:
            raise _NotCovered

    def _base(self) -> _Value:
        token = self._take()
        if token[:1] in _CLOSES:
            return self._group(token)
        if token == "\\frac":
            return _divided(self._argument(), self._argument())
        if token == "\\sqrt":
            return _root(self._argument())
        if token == "\\binom":
            return self._binomial()
        if token[:1].isalpha() or token in _LETTERS:
            return self._letter(token)
        return self._number(token)

    def _binomial(self) -> _Value:
        upper, lower = _whole(self._argument()), _whole(self._argument())
        self._spend(upper)
        if lower < 0:
            raise _NotCovered
        return _large(comb(upper, lower))

    def _number(self, token: str) -> _Value:
        if token[:1] not in _NUMERIC or token == "." or len(token) > _MAX_DIGITS:
            raise _NotCovered
        if self._peek() == "\\frac":  # a mixed number, or a product
            raise _NotCovered
        return _small(Fraction(token))

    def _letter(self, token: str) -> _Value:
        if token in _FUNCTION_NAMES and self._peek() == "(":
            raise _NotCovered
        if token == "i":
            return _Value(UNIT)
        if token in CONSTANTS:
            return _Value((element(token, 0), 0))
        self.letters.add(token)
        return _Value((element(token, self._point), 0))

    def _argument(self) -> _Value:
        if self._take() != "{":
            raise _NotCovered
        return self._group("{")

    def _group(self, opening: str) -> _Value:
        value = self.sum()
        if self._take() != _CLOSES[opening]:
            raise _NotCovered
        return value

    def _peek(self) -> str:
        match = _TOKEN.match(self._text, self._at)
        return match[1] if match else ""

    def _take(self) -> str:
        match = _TOKEN.match(self._text, self._at)
        if match is None:
            raise _NotCovered
        self._at = match.end()
        return match[1]


def _whole(value: _Value) -> int:
    if value.rational is None or value.rational.denominator != 1:
        raise _NotCovered
    return value.rational.numerator


def _large(number: int) -> _Value:
    """A whole number, which need not be exact."""
    bits = number.bit_length()
    return _Value((number % P, 0), ONE, Fraction(number) if bits <= _MAX_EXACT_BITS else None, bits + 1)


def _small(number: Fraction) -> _Value:
    """Exact as long as it stays small: a long sum of fractions must not cost more than its reading."""
    top, bottom = number.numerator, number.denominator
    bits = top.bit_length() + bottom.bit_length()
    return _Value((top % P, 0), (bottom % P, 0), number if bits <= _MAX_EXACT_BITS else None, bits)


def _bounded(bits: int) -> int:
    if bits > _MAX_BITS:
        raise _NotCovered
    return bits


def _signed(sign: str, value: _Value) -> _Value:
    if sign == "+":
        return value
    (a, b), rational = value.top, value.rational
    return _Value((-a % P, -b % P), value.bottom, None if rational is None else -rational, value.bits)


def _added(left: _Value, right: _Value) -> _Value:
    if left.rational is not None and right.rational is not None:
        return _small(left.rational + right.rational)
    bits = _bounded(left.bits + right.bits + 1)
    if left.bottom == right.bottom:
        return _Value(plus(left.top, right.top), left.bottom, None, bits)
    top = plus(times(left.top, right.bottom), times(right.top, left.bottom))
    return _Value(top, times(left.bottom, right.bottom), None, bits)


def _multiplied(left: _Value, right: _Value) -> _Value:
    if left.rational is not None and right.rational is not None:
        return _small(left.rational * right.rational)
    bits = _bounded(left.bits + right.bits)
    return _Value(times(left.top, right.top), times(left.bottom, right.bottom), None, bits)


def _divided(left: _Value, right: _Value) -> _Value:
    return _multiplied(left, _inverse(right))


def _inverse(value: _Value) -> _Value:
    if value.top == ZERO:
        raise ZeroDivisionError
    return _Value(value.bottom, value.top, None if value.rational is None else 1 / value.rational, value.bits)


def _raised(base: _Value, exponent: int) -> _Value:
    """A whole power; ZeroDivisionError for 1/0, _NotCovered for 0^0, which some call 1."""
    if exponent == 0 and base.top == ZERO:
        raise _NotCovered
    base = _inverse(base) if exponent < 0 else base
    exponent = abs(exponent)
    if base.rational is not None and base.bits * exponent <= _MAX_EXACT_BITS:
        return _small(base.rational**exponent)
    bits = _bounded(base.bits * max(exponent, 1))
    return _Value(power(base.top, exponent), power(base.bottom, exponent), None, bits)


def _root(value: _Value) -> _Value:
    """The square root of a small rational number; that of a/b is that of ab over b."""
    if value.rational is None:
        raise _NotCovered
    product = value.rational.numerator * value.rational.denominator
    image = root_of(abs(product))
    if image is None:
        raise _NotCovered
    image = times(image, UNIT) if product < 0 else image
    return _Value(image, (value.rational.denominator % P, 0), None, value.bits)
