"""Sums, products and integrals with the same bounds and equal bodies, which SymPy may take seconds to compare.

`\\sum_{n=0}^\\infty (n+1)x^n` is `\\sum_{k=0}^\\infty (k+1)x^k`. Equal bodies prove equal values, different ones prove
nothing. Not covered: several variables, shifted indices, bounds below 0 (letters are taken as positive).
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from reward_server.grading.symbolic.identities import same_value


def have_same_body(wanted: Any, given: Any, key: str) -> bool:
    """Are both the same operator over one variable between the same bounds, with equal bodies?"""
    sympy = import_module("sympy")
    if type(wanted) is not type(given) or not isinstance(wanted, (sympy.Sum, sympy.Product, sympy.Integral)):
        return False
    ours, theirs = _range_of(wanted), _range_of(given)
    if ours is None or theirs is None or ours[1:] != theirs[1:] or not ours[1].is_nonnegative:
        return False
    if ours[0] in given.free_symbols:
        return False
    return same_value(wanted.function, given.function.xreplace({theirs[0]: ours[0]}), key) is True


def _range_of(expression: Any) -> Any:
    """(variable, from, to); None for several variables, and for an integral without bounds."""
    limits = expression.limits
    return limits[0] if len(limits) == 1 and len(limits[0]) == 3 else None
