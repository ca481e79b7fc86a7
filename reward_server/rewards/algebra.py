"""Are two expressions equal? Decided by their images in a finite field, in microseconds where SymPy takes milliseconds.

Read: whole numbers, decimals, `+ - · /`, whole powers, square roots of rational numbers, i, and letters (also π and e,
between which no relation can be written here). Evaluating such an expression in a field, each letter at a fixed
element that looks random, is a homomorphism: equal expressions have equal images. Unequal ones have equal images with
a chance of about degree/P, below 1e-35 (Schwartz 1980, Zippel 1979).

The field has P² elements. P is 3 mod 4, so -1 is no square mod P: elements are a + bi with i² = -1, here (a, b), and
every whole number has a square root. The root of a composite is the product of its primes': √2·√3 = √6.
Not covered (None, Math-Verify decides): functions, other roots and powers, roots of letters, absolute values,
relations, and what reads in two ways: `1/2x`, `x^10`, `3\\frac{x}{2}`, `f(x)`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from hashlib import blake2b
from math import isqrt

P = 157372820688314501797628202513941958931
"""A prime of 127 bits, of no special form. Numbers of over 37 digits, which could be a multiple of it, are not read."""

_TOKEN = re.compile(r" *(\\[A-Za-z]+|[0-9]+(?:\.[0-9]*)?|\.[0-9]+|[A-Za-z](?:_(?:[0-9A-Za-z]|\{[^{}]*\}))?|.)")
_EXPONENT = re.compile(r" *\^ *(?:([0-9])(?![0-9])|\{ *(-?[0-9]{1,3}) *\})")
_GREEK = "alpha beta gamma delta epsilon theta lambda mu pi rho sigma tau phi omega"
_LETTERS = frozenset(f"\\{name}" for name in _GREEK.split())
_FUNCTION_NAMES = frozenset("fgh")
_NUMERIC = frozenset("0123456789.")
_TIMES, _CLOSES = frozenset({"*", "\\cdot"}), {"(": ")", "{": "}"}
_MAX_DEPTH, _MAX_DIGITS, _MAX_ROOT = 24, 37, 10**6
_PRIMES = [number for number in range(2, 1000) if all(number % divisor for divisor in range(2, isqrt(number) + 1))]
"""Up to the root of _MAX_ROOT."""
_MAX_EXACT_EXPONENT, _MAX_EXACT_BITS = 20, 512

Element = tuple[int, int]
"""a + bi in the field."""


class _NotCovered(Exception):
    """The text is no expression that is read here."""


@dataclass(frozen=True, slots=True)
class _Value:
    """An expression's image, and its exact value while that is a small rational number."""

    image: Element
    rational: Fraction | None = None


def is_equal(ground_truth: str, answer: str) -> bool | None:
    """Are two normalised expressions equal? None when either is not covered."""
    wanted, given = image(ground_truth), image(answer)
    return None if wanted is None or given is None else wanted == given


@lru_cache(maxsize=4096)
def image(text: str) -> Element | None:
    """The image of a normalised expression; None when it is not covered."""
    try:
        reader = _Reader(text)
        value = reader.sum()
        return value.image if reader.at_end() else None
    except (_NotCovered, ZeroDivisionError):
        return None


class _Reader:
    """Reads one expression from the left; each method consumes what it names."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0

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
        match = _EXPONENT.match(self._text, self._at)
        if match is None:
            return base
        self._at = match.end()
        return _raised(base, int(match[1] or match[2]))

    def _base(self) -> _Value:
        token = self._take()
        if token[:1] in _CLOSES:
            return self._group(token)
        if token == "\\frac":
            return _divided(self._argument(), self._argument())
        if token == "\\sqrt":
            return _root(self._argument())
        if token[:1].isalpha() or token in _LETTERS:
            return self._letter(token)
        return self._number(token)

    def _number(self, token: str) -> _Value:
        if token[:1] not in _NUMERIC or token == "." or len(token) > _MAX_DIGITS:
            raise _NotCovered
        if self._peek() == "\\frac":  # a mixed number, or a product
            raise _NotCovered
        return _exact(Fraction(token))

    def _letter(self, token: str) -> _Value:
        if token in _FUNCTION_NAMES and self._peek() == "(":
            raise _NotCovered
        return _Value((0, 1)) if token == "i" else _Value((_element(token), 0))

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
        return match[1].strip() if match else ""

    def _take(self) -> str:
        match = _TOKEN.match(self._text, self._at)
        if match is None:
            raise _NotCovered
        self._at = match.end()
        return match[1]


def _exact(number: Fraction) -> _Value:
    return _Value((number.numerator * pow(number.denominator, -1, P) % P, 0), number)


def _signed(sign: str, value: _Value) -> _Value:
    return value if sign == "+" else _multiplied(_exact(Fraction(-1)), value)


def _added(left: _Value, right: _Value) -> _Value:
    if left.rational is not None and right.rational is not None:
        return _small(left.rational + right.rational)
    return _Value(_plus(left.image, right.image))


def _multiplied(left: _Value, right: _Value) -> _Value:
    if left.rational is not None and right.rational is not None:
        return _small(left.rational * right.rational)
    return _Value(_times(left.image, right.image))


def _divided(left: _Value, right: _Value) -> _Value:
    return _multiplied(left, _raised(right, -1))


def _raised(base: _Value, exponent: int) -> _Value:
    """A whole power; ZeroDivisionError for 1/0, _NotCovered for 0^0, which some call 1."""
    if base.image == (0, 0) and exponent == 0:
        raise _NotCovered
    a, b = base.image
    if exponent < 0:  # 1 / (a + bi) = (a - bi) / (a² + b²), which is 0 only for 0
        norm = (a * a + b * b) % P
        if norm == 0:
            raise ZeroDivisionError
        inverse = pow(norm, -1, P)
        a, b = a * inverse % P, -b * inverse % P
    result = (1, 0)
    for bit in bin(abs(exponent))[2:]:
        result = _times(result, result)
        result = _times(result, (a, b)) if bit == "1" else result
    is_simple = base.rational is not None and abs(exponent) <= _MAX_EXACT_EXPONENT
    return _small(base.rational**exponent) if is_simple and base.rational is not None else _Value(result)


def _root(value: _Value) -> _Value:
    """The square root of a small rational number; that of a/b is that of ab over b."""
    if value.rational is None:
        raise _NotCovered
    product = value.rational.numerator * value.rational.denominator
    image = _root_image(abs(product))
    image = _times(image, (0, 1)) if product < 0 else image
    return _Value(_times(image, _exact(Fraction(1, value.rational.denominator)).image))


def _small(number: Fraction) -> _Value:
    """Exact as long as it stays small: a long sum of fractions must not cost more than its reading."""
    value = _exact(number)
    size = number.numerator.bit_length() + number.denominator.bit_length()
    return value if size <= _MAX_EXACT_BITS else _Value(value.image)


def _plus(left: Element, right: Element) -> Element:
    return (left[0] + right[0]) % P, (left[1] + right[1]) % P


def _times(left: Element, right: Element) -> Element:
    (a, b), (c, d) = left, right
    return (a * c - b * d) % P, (a * d + b * c) % P


@lru_cache(maxsize=4096)
def _root_image(number: int) -> Element:
    """The product of the roots of the primes in `number`, which must be small enough to find them."""
    if number > _MAX_ROOT:
        raise _NotCovered
    result = (1, 0) if number else (0, 0)
    for prime in _PRIMES:
        while number % prime == 0 and number:
            result = _times(result, _prime_root(prime))
            number //= prime
        if prime * prime > number:
            break
    return _times(result, _prime_root(number)) if number > 1 else result


@lru_cache(maxsize=4096)
def _prime_root(prime: int) -> Element:
    """A square root of a prime: of p or of -p this power is one mod P, and i times the latter is one of p."""
    root = pow(prime, (P + 1) // 4, P)
    return (root, 0) if root * root % P == prime else (0, root)


@lru_cache(maxsize=256)
def _element(letter: str) -> int:
    return int.from_bytes(blake2b(letter.encode("utf-8", "surrogatepass"), digest_size=24).digest(), "big") % P
