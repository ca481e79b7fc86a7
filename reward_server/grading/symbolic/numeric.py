"""The value of a SymPy expression at a point, to as many digits as telling it from another one takes.

Own code on mpmath instead of `evalf`, which works to a fixed number of digits and then calls `1 - 2^{-2024}` 1. How far
the values within the expression reach (`size`, in powers of ten) says how many digits are needed: 6·size + 100, and
two values are the same when they agree to 4·size + 40. Larger than 10^±2000 is TooLarge.
In an expression without i, odd roots of negative numbers are real. Undefined functions such as f(x+1) are letters,
one for each value of their arguments. Not covered (NotNumeric): infinities, matrices, sets, what SymPy cannot evaluate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from hashlib import blake2b
from importlib import import_module
from typing import Any

MAX_SIZE = 2000
_DIGITS, _CLOSE, _NOISE = 100, 40, 15
_MAX_NODES = 5000

_CONSTANTS = {"Pi": "pi", "Exp1": "e", "GoldenRatio": "phi", "EulerGamma": "euler", "Catalan": "catalan"}
_SAME_NAME = (
    "sin cos tan cot sec csc asin acos atan acot asec acsc sinh cosh tanh coth sech csch asinh acosh atanh acoth "
    "exp gamma factorial sign erf zeta floor re im arg"
)
_FUNCTIONS = dict(zip(_SAME_NAME.split(), _SAME_NAME.split(), strict=True)) | {
    "Abs": "fabs",
    "ceiling": "ceil",
    "conjugate": "conj",
}
_SATURATING = frozenset({"tanh", "coth", "erf", "sech", "csch"})
_BUILT = {
    "Add": "_sum",
    "Mul": "_product",
    "UnevaluatedExpr": "_product",
    "Max": "_largest",
    "Min": "_smallest",
    "log": "_logarithm",
    "binomial": "_choices",
    "Mod": "_remainder",
}
_LEAVES = frozenset({"Symbol", "Float", "ImaginaryUnit", *_CONSTANTS})
_COMPUTED = frozenset({"Sum", "Product", "Integral", "Limit", "Derivative"})


class NotNumeric(Exception):
    """The expression has no number for a value."""


class TooLarge(Exception):
    """Values in the expression are beyond 10^±2000."""


class OutOfReach(Exception):
    """The factorial of a large number: SymPy would write out its digits."""


class Undefined(Exception):
    """The expression has no value at this point, such as 1/0."""


@dataclass(frozen=True, slots=True)
class Number:
    """A value (of mpmath), whether all values within it are real, and how far they reach in powers of ten."""

    value: Any
    is_real: bool
    size: int


def evaluate(expressions: tuple[Any, ...], point: Mapping[str, Fraction]) -> list[Number]:
    """All at one point, with digits enough to compare any two of them."""
    size = 0
    for _ in range(4):
        found = [_evaluated(expression, point, 6 * size + _DIGITS) for expression in expressions]
        reached = max(number.size for number in found)
        if reached <= size + 5:
            return [Number(number.value, number.is_real, reached) for number in found]
        size = reached
    raise TooLarge


def is_close(left: Number, right: Number) -> bool:
    """The same to as many digits as their size asks for."""
    return is_near(left.value, right.value, max(left.size, right.size))


def is_near(left: Any, right: Any, size: int) -> bool:
    mp = _mp()
    with mp.workdps(6 * size + _DIGITS):
        largest = max(mp.fabs(left), mp.fabs(right))
        return bool(mp.fabs(left - right) <= largest * mp.mpf(10) ** -(4 * size + _CLOSE))


def _evaluated(expression: Any, point: Mapping[str, Fraction], digits: int) -> Number:
    mp = _mp()
    with mp.workdps(digits):
        reader = _Evaluation(mp, point, digits, _has_unit(expression))
        try:
            value = reader.value(expression)
        except (ZeroDivisionError, ValueError, OverflowError, mp.NoConvergence):
            raise Undefined from None
        if not mp.isfinite(value):
            raise Undefined
        return Number(value, reader.is_real, reader.size)


def _has_unit(expression: Any) -> bool:
    return bool(expression.has(import_module("sympy").I))


class _Evaluation:
    """One walk through an expression; `size` and `is_real` are what was met."""

    def __init__(self, mp: Any, point: Mapping[str, Fraction], digits: int, has_unit: bool) -> None:
        self._mp, self._point, self._digits, self._has_unit = mp, point, digits, has_unit
        self._nodes = 0
        self.size = 0
        self.is_real = True

    def value(self, expression: Any) -> Any:
        self._nodes += 1
        if self._nodes > _MAX_NODES:
            raise NotNumeric
        result = self._value(expression, type(expression).__name__)
        if isinstance(result, self._mp.mpc):
            if result.imag:
                self.is_real = False
            else:
                result = result.real
        if result:
            self._reach(result)
        return result

    def _reach(self, value: Any) -> None:
        self._grow(abs(int(self._mp.mag(value))) * 0.302)

    def _grow(self, size: Any) -> None:
        if size > MAX_SIZE:
            raise TooLarge
        self.size = max(self.size, int(size))

    def _value(self, expression: Any, kind: str) -> Any:
        mp = self._mp
        if expression.is_Rational:
            return mp.mpf(expression.p) / expression.q
        if kind in _LEAVES:
            return self._leaf(expression, kind)
        if kind in _COMPUTED:
            return self._computed(expression)
        if not expression.args:
            raise NotNumeric
        if kind == "Pow":
            return self._power(*expression.args)
        return self._applied(expression, kind, [self.value(part) for part in expression.args])

    def _leaf(self, expression: Any, kind: str) -> Any:
        if kind == "Symbol":
            return self._letter(expression.name)
        if kind == "Float":
            return self._fraction(decimal(expression))
        return self._mp.mpc(0, 1) if kind == "ImaginaryUnit" else +getattr(self._mp, _CONSTANTS[kind])

    def _applied(self, expression: Any, kind: str, parts: list[Any]) -> Any:
        if kind in _BUILT:
            return getattr(self, _BUILT[kind])(*parts)
        if kind in _FUNCTIONS and len(parts) == 1:
            return self._function(_FUNCTIONS[kind], parts[0])
        if getattr(expression.func, "is_Function", False) and not hasattr(import_module("sympy"), kind):
            return self._unknown(kind, parts)
        raise NotNumeric

    def _sum(self, *parts: Any) -> Any:
        return self._without_noise(sum(parts), list(parts))

    def _product(self, *parts: Any) -> Any:
        return self._mp.fprod(parts)

    def _largest(self, *parts: Any) -> Any:
        return max(parts)

    def _smallest(self, *parts: Any) -> Any:
        return min(parts)

    def _choices(self, upper: Any, lower: Any) -> Any:
        return self._mp.binomial(upper, lower)

    def _remainder(self, number: Any, divisor: Any) -> Any:
        return self._mp.fmod(number, divisor)

    def _function(self, name: str, argument: Any) -> Any:
        if name in _SATURATING:
            self._grow(self._mp.fabs(argument) ** 2)
        if name == "exp":
            self._grow(self._mp.fabs(argument) * 0.44)
        if name in {"factorial", "gamma"} and self._mp.fabs(argument) > MAX_SIZE:
            raise OutOfReach
        return self._without_noise(getattr(self._mp, name)(argument), [1, argument])

    def _without_noise(self, value: Any, parts: list[Any]) -> Any:
        """0 where all digits cancelled, as in sin(pi)."""
        mp = self._mp
        largest = max(mp.fabs(part) for part in parts)
        if value and largest and mp.mag(value) - mp.mag(largest) < -3.3 * (self._digits - _NOISE):
            smallest = min(mp.mag(part) if part else 0 for part in parts)
            return value if smallest < -3.3 * _NOISE - 10 and len(parts) == 2 and parts[0] == 1 else mp.mpf(0)
        return value

    def _logarithm(self, argument: Any, base: Any = None) -> Any:
        mp = self._mp
        if not argument:
            raise Undefined
        result = self._without_noise(mp.log(argument), [1, argument])
        return result if base is None else result / mp.log(base)

    def _power(self, base: Any, exponent: Any) -> Any:
        mp = self._mp
        below, above = self.value(base), self.value(exponent)
        if not below:
            if not above or mp.re(above) < 0:
                raise Undefined
            return mp.mpf(0)
        self._grow(mp.fabs(above) * mp.fabs(mp.log(below)) * 0.44)
        is_root = exponent.is_Rational and exponent.q % 2 and exponent.q > 1
        if is_root and not self._has_unit and isinstance(below, mp.mpf) and below < 0:
            return (-1) ** (exponent.p % 2) * mp.power(-below, above)
        return mp.power(below, above)

    def _computed(self, expression: Any) -> Any:
        """Sums, integrals and limits: SymPy's own value, at the point."""
        sympy = import_module("sympy")
        at = {letter: sympy.Rational(*self._ratio(letter.name)) for letter in expression.free_symbols}
        result = expression.doit().subs(at)
        if result.has(*(getattr(sympy, name) for name in _COMPUTED)):
            raise NotNumeric
        return self.value(result)

    def _ratio(self, name: str) -> tuple[int, int]:
        number = self._at(name)
        return number.numerator, number.denominator

    def _at(self, name: str) -> Fraction:
        if name not in self._point:
            raise NotNumeric
        return self._point[name]

    def _letter(self, name: str) -> Any:
        return self._fraction(self._at(name))

    def _fraction(self, number: Fraction) -> Any:
        return self._mp.mpf(number.numerator) / number.denominator

    def _unknown(self, name: str, parts: list[Any]) -> Any:
        text = " ".join([name, *(self._mp.nstr(part, 30) for part in parts)])
        return self._fraction(fraction_of(text))


def fraction_of(text: str) -> Fraction:
    """A number between 0 and 1 that belongs to a text."""
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return Fraction(int.from_bytes(digest, "big"), 1 << 128)


def decimal(number: Any) -> Fraction:
    """The decimal that was written, of SymPy's binary Float of it."""
    library = import_module("mpmath.libmp")
    return Fraction(library.to_str(number._mpf_, library.prec_to_dps(number._prec)))


@lru_cache(maxsize=1)
def _mp() -> Any:
    return import_module("mpmath").mp
