"""Sums of rational multiples, exactly: `2x - \\frac{y}{3} + 4`, `\\frac{1+\\sqrt{5}}{2}`, `-\\frac{\\pi}{4}`.

A form maps each letter, root of a whole number, π and e to its factor, and "" to the rest. It is what the ends of
intervals are ordered by and what a linear inequality is solved with.
Not covered (None): products of letters, powers, functions.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache

from reward_server.grading.numbers.exact_number import read_number

Form = dict[str, Fraction]
"""No factor is 0."""

MAX_CHARS = 200
_TOKEN = re.compile(
    r" *(\\sqrt *\{ *[0-9]{1,6} *\}|\\[A-Za-z]+|[0-9]{1,30}(?:\.[0-9]{1,30})?|\.[0-9]{1,30}"
    r"|[A-Za-z](?:_(?:[0-9A-Za-z]|\{[0-9A-Za-z]*\}))?|[-+*/(){}]) *"
)
_ROOT = re.compile(r"\\sqrt *\{ *([0-9]+) *\}")
_GREEK = frozenset(
    ["\\alpha", "\\beta", "\\gamma", "\\delta", "\\theta", "\\lambda", "\\mu", "\\rho", "\\sigma", "\\phi", "\\omega"]
)
_FUNCTIONS = frozenset("fgh")
_CLOSES = {"(": ")", "{": "}"}
_MAX_DEPTH = 8
_CLOSE = 1e-9
_CONSTANTS = {"": 1.0, "\\pi": math.pi, "e": math.e}


class _NotLinear(Exception):
    """The text is no form."""


@lru_cache(maxsize=4096)
def _kept(text: str) -> tuple[tuple[str, Fraction], ...] | None:
    number = read_number(text)
    if number is not None:
        return None if number.unit else tuple(_constant(number.value).items())
    try:
        reader = _Reader(text)
        form = reader.sum()
        return tuple(form.items()) if reader.at_end() else None
    except (_NotLinear, ZeroDivisionError):
        return None


def linear_form(text: str) -> Form | None:
    """The form that a normalised text is."""
    items = _kept(text) if len(text) <= MAX_CHARS else None
    return None if items is None else dict(items)


def letters_of(form: Form) -> list[str]:
    """Its unknowns, in order."""
    return sorted(atom for atom in form if atom not in _CONSTANTS and not atom.startswith("\\sqrt"))


def plus(one: Form, other: Form, factor: Fraction | int = 1) -> Form:
    """one + factor · other."""
    total = {atom: one.get(atom, Fraction(0)) + factor * other.get(atom, Fraction(0)) for atom in one | other}
    return {atom: value for atom, value in total.items() if value}


def times(form: Form, factor: Fraction | int) -> Form:
    """factor · form."""
    return {atom: factor * value for atom, value in form.items() if factor}


def multiplied(one: Form, other: Form) -> Form | None:
    """one · other, where one of them is a rational number."""
    try:
        return _multiplied(one, other)
    except _NotLinear:
        return None


def approximate(form: Form) -> float:
    """The value of a form without letters."""
    return sum(float(factor) * _atom_value(atom) for atom, factor in form.items())


def sign_of(form: Form) -> int | None:
    """-1, 0 or 1 for a form without letters; None where it is too near 0 to say."""
    if not form:
        return 0
    value = approximate(form)
    return None if abs(value) < _CLOSE else 1 if value > 0 else -1


def text_of(form: Form) -> str:
    """The form as LaTeX."""
    terms = [_term(atom, factor) for atom, factor in sorted(form.items())]
    return "".join(terms).removeprefix("+") or "0"


def _term(atom: str, factor: Fraction) -> str:
    sign, size = "-" if factor < 0 else "+", abs(factor)
    number = f"{size}" if size.denominator == 1 else f"\\frac{{{size.numerator}}}{{{size.denominator}}}"
    if not atom:
        return sign + number
    return f"{sign}{atom} " if size == 1 else f"{sign}{number} {atom} "


def _atom_value(atom: str) -> float:
    root = _ROOT.fullmatch(atom)
    return math.sqrt(int(root[1])) if root else _CONSTANTS[atom]


class _Reader:
    """Reads one form from the left; each method consumes what it names."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._at = 0
        self._depth = 0

    def at_end(self) -> bool:
        return self._at == len(self._tokens)

    def sum(self) -> Form:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise _NotLinear
        total: Form = {}
        sign = self._take() if self._peek() in ("+", "-") else "+"
        while True:
            total = plus(total, self._product(), 1 if sign == "+" else -1)
            if self._peek() not in ("+", "-"):
                self._depth -= 1
                return total
            sign = self._take()

    def _product(self) -> Form:
        result, divided = self._factor(), False
        while (token := self._peek()) and token not in "+-)}":
            if token == "/":
                self._take()
                result, divided = _multiplied(result, _inverse(self._factor())), True
            elif divided or token[0].isdigit():  # 1/2x and x2 read in two ways
                raise _NotLinear
            else:
                if token in ("*", "\\cdot"):
                    self._take()
                result = _multiplied(result, self._factor())
        return result

    def _factor(self) -> Form:
        token = self._take()
        if token in _CLOSES:
            return self._group(token)
        if token == "\\frac":
            return _multiplied(self._group(self._take()), _inverse(self._group(self._take())))
        if token[:1].isdigit() or token[:1] == ".":
            if self._peek() == "\\frac":  # a mixed number, or a product
                raise _NotLinear
            return _constant(Fraction(token))
        return _atom(token, self._peek())

    def _group(self, opening: str) -> Form:
        if opening not in _CLOSES:
            raise _NotLinear
        form = self.sum()
        if self._take() != _CLOSES[opening]:
            raise _NotLinear
        return form

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._peek()
        if not token:
            raise _NotLinear
        self._at += 1
        return token


def _tokens(text: str) -> Iterator[str]:
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _NotLinear
        yield match[1]
        at = match.end()


def _constant(value: Fraction) -> Form:
    return {"": value} if value else {}


def _atom(token: str, following: str) -> Form:
    if root := _ROOT.fullmatch(token):
        return _root(int(root[1]))
    is_letter = token[:1].isalpha() and not (token in _FUNCTIONS and following == "(")
    if not is_letter and token not in _GREEK and token != "\\pi":
        raise _NotLinear
    return {token: Fraction(1)}


def _root(number: int) -> Form:
    """√8 is 2√2."""
    outside, divisor = 1, 2
    while divisor * divisor <= number:
        while number % (divisor * divisor) == 0:
            number //= divisor * divisor
            outside *= divisor
        divisor += 1
    if number <= 1:
        return _constant(Fraction(outside * number))
    return {f"\\sqrt{{{number}}}": Fraction(outside)}


def _multiplied(one: Form, other: Form) -> Form:
    for form, factor in ((one, other), (other, one)):
        if factor.keys() <= {""}:
            return times(form, factor.get("", 0))
    raise _NotLinear


def _inverse(form: Form) -> Form:
    """1/(c√n) is √n/(cn)."""
    if len(form) != 1:
        raise ZeroDivisionError
    ((atom, factor),) = form.items()
    if not atom:
        return {"": 1 / factor}
    root = _ROOT.fullmatch(atom)
    if root is None:
        raise _NotLinear
    return {atom: 1 / (factor * int(root[1]))}
