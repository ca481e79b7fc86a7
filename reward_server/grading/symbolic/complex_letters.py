"""z and w beside i are complex numbers: `|z-2i|` is not `|z+2i|`, which it would be for every real z.

Other letters stay real, so that `|a+bi|` is `\\sqrt{a^2+b^2}`.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

_COMPLEX = frozenset("zw")


def with_complex_letters(*expressions: Any) -> Sequence[Any]:
    """The expressions with two letters for each complex one, where they tell a number from its conjugate."""
    sympy = import_module("sympy")
    tells = (sympy.Abs, sympy.conjugate, sympy.re, sympy.im, sympy.arg)
    if not all(isinstance(expression, sympy.Expr) for expression in expressions):
        return expressions
    if not any(expression.has(sympy.I) for expression in expressions) or not any(
        expression.has(*tells) for expression in expressions
    ):
        return expressions
    letters = {letter for expression in expressions for letter in expression.free_symbols}
    parts = {z: z + sympy.I * sympy.Symbol(f"{z.name}'") for z in letters if z.name[:1] in _COMPLEX}
    return [expression.subs(parts) for expression in expressions] if parts else expressions
