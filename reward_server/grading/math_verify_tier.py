"""The last tier: values that only algebra can compare. Runs in a worker process, in its main thread.

The only module that knows Math-Verify. Its parser is called directly on one value at a time, not through its `parse`,
which searches text for formulas, and its own timeouts are off: they are whole seconds, per step, and cancel other
timers. One CPU budget covers all instead. SymPy objects are never turned into text here (that can hang for ever), and
the answer never reaches `sympify` or `parse_expr` (they evaluate).

Of Math-Verify only the parser decides: it would round to six places, pay any equation without solutions for another,
and ignore the case of letters. `symbolic/identities.py` compares expressions and equations. Math-Verify's own
comparison is asked where no number says anything (sets, intervals, inequalities), and about equations that share their
roots.
Not covered: equations that SymPy can solve neither way count as different.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib import import_module
from typing import Any

from reward_server.grading.numbers.exact_number import read_number
from reward_server.grading.numbers.spelling import plain_pair
from reward_server.grading.numbers.units import split_unit
from reward_server.grading.structures.additions import without_additions
from reward_server.grading.structures.left_sides import right_side
from reward_server.grading.structures.matching import compare_texts
from reward_server.grading.structures.structure import Shape
from reward_server.grading.structures.values import compare_values
from reward_server.grading.symbolic.bodies import have_same_body
from reward_server.grading.symbolic.complex_letters import with_complex_letters
from reward_server.grading.symbolic.equations import sides_of
from reward_server.grading.symbolic.identities import is_solved, same_equation, same_value, share_roots
from reward_server.grading.text.damaged import repaired
from reward_server.grading.text.normalise import normalise
from reward_server.grading.text.unmistakable import unmistakable
from reward_server.grading.tiers import judge_by_rules, shape_of
from reward_server.processes.budget import BudgetExceeded, Unfinished, cpu_budget
from reward_server.types import Outcome, Verdict

TIER = "math_verify"

_UNIT = re.compile(r"(?<![A-Za-z\\_])i(?![A-Za-z=])")
_NO_LETTERS = re.compile(r"\\(?:text|operatorname|begin|end) ?\{[^{}]*\}|\\[A-Za-z]+")
_UNNAMED = frozenset("eid")
"""Letters that need not be symbols: e, i, and the d of an integral."""
_SEED = 0
"""SymPy tries random points and orders: with one seed a pair, its verdict does not depend on the pairs before it."""

_WARM_UP_PAIRS = (
    ("2\\ln x+1", "1+2\\ln(x)"),
    ("\\sin 2x", "\\cos(2x)"),
    ("\\log_2 3", "\\frac{\\ln 3}{\\ln 2}"),
    ("2^{x+1}", "2\\cdot 2^x"),
    ("\\sqrt{x+1}", "(x+1)^{1/2}"),
    ("2x-y+3=0", "y=2x+3"),
    ("e^{2x}", "\\frac{1}{e^{-2x}}"),
    ("\\binom{5}{2}x", "|x|"),
)


class _UnparseableError(Exception):
    """Math-Verify cannot read this text."""


def judge_with_math_verify(
    ground_truth: str, answer: str, soft_timeout_s: float, *, is_whole_budget: bool = True, ordered: bool = False
) -> Verdict:
    """The verdict on a pair that `judge_cheaply` left open. `soft_timeout_s`: CPU seconds for everything.

    A ground truth that does not parse, or exhausts the budget or the memory alone, is ungradable; an answer that does
    not parse is unparseable; one that exhausts them is a timeout. A comparison that fails in the library is incorrect.
    With less than the whole budget there is no verdict where it is exhausted: raises Unfinished.
    """
    wanted, given = normalise(repaired(ground_truth) or ""), normalise(answer)
    exhausted, unreadable = Outcome.TIMEOUT, Outcome.UNPARSEABLE
    outcome = Outcome.TIMEOUT
    try:
        with cpu_budget(soft_timeout_s):
            _library().seed(_SEED)
            known = judge_by_rules(ground_truth, answer, ordered)
            if known is not None:  # it was too much work for the server
                return Verdict(known.outcome, TIER, wanted, given)
            exhausted, unreadable = Outcome.UNGRADABLE, Outcome.UNGRADABLE
            wanted, given = without_additions(wanted, given) or (wanted, given)
            shape = shape_of(wanted, ordered)
            for text in _open_values(shape):
                _parsed_ground_truth((plain_pair(text, text) or (text,))[0])
            exhausted, unreadable = Outcome.TIMEOUT, Outcome.UNPARSEABLE
            is_correct = compare_texts(ground_truth, wanted, shape, given, _are_equal)
            outcome = Outcome.CORRECT if is_correct else Outcome.INCORRECT
    except (BudgetExceeded, MemoryError) as error:
        if not is_whole_budget and isinstance(error, BudgetExceeded):
            raise Unfinished from None
        outcome = exhausted
    except (_UnparseableError, RecursionError):
        outcome = unreadable
    return Verdict(outcome, TIER, wanted, given)


def warm_up() -> None:
    """Import everything and grade one pair of each common kind, so that no real one pays for it.

    The parser learns its grammar as it reads: the first `\\ln` costs a tenth of a second, the next a hundredth.
    """
    for ground_truth, answer in _WARM_UP_PAIRS:
        judge_with_math_verify(ground_truth, answer, soft_timeout_s=60.0)


def _open_values(shape: Shape) -> Iterator[str]:
    """The texts in `shape` that Math-Verify may be asked about."""
    if shape.kind == "equation" and right_side(shape) is not None:
        yield from _open_values(shape.parts[-1])  # its left side may be a name that no parser reads
    elif shape.kind == "value" and read_number(shape.text) is None:
        yield shape.text
    else:
        for part in shape.parts:
            yield from _open_values(part)


def _are_equal(ground_truth: str, answer: str) -> bool:
    verdict = compare_values(ground_truth, answer)
    if verdict is not None:
        return verdict
    key = f"{ground_truth}\0{answer}"
    pair = plain_pair(ground_truth, answer)
    if pair is None:
        return False
    ground_truth, answer = pair
    try:
        if sides := sides_of(ground_truth):
            return _are_equal_equations(sides, sides_of(answer), key)
        return _are_equal_values(_parsed_ground_truth(ground_truth), _parsed(answer), key)
    except (MemoryError, _UnparseableError):
        raise
    except Exception:  # noqa: BLE001 -- SymPy raises anything; a comparison that fails pays nothing
        return False


def _are_equal_values(wanted: Any, given: Any, key: str) -> bool:
    sympy = import_module("sympy")
    if wanted == given:
        return True
    if not (isinstance(wanted, sympy.Expr) and isinstance(given, sympy.Expr)):
        return _is_same_kind(wanted, given) and _verified(wanted, given)
    wanted, given = with_complex_letters(wanted, given)
    verdict = have_same_body(wanted, given, key) or same_value(wanted, given, key)
    if verdict is None:  # no numbers, or too large for any: only SymPy's proof counts
        return _verified(wanted, given) and sympy.simplify(wanted - given) == 0
    return verdict


def _is_same_kind(wanted: Any, given: Any) -> bool:
    """Relations whose letters differ would be compared by their lists of solutions, which may both be empty."""
    sympy = import_module("sympy")
    kinds = (sympy.core.relational.Relational, sympy.logic.boolalg.Boolean)
    if not (isinstance(wanted, kinds) or isinstance(given, kinds)):
        return True
    return bool(wanted.free_symbols) and wanted.free_symbols == given.free_symbols


def _are_equal_equations(wanted: Sequence[str], given: Sequence[str], key: str) -> bool:
    """Two sides each; anything else is left out."""
    if len(wanted) != 2 or len(given) != 2:
        return False
    ours, theirs = [_parsed_ground_truth(side) for side in wanted], [_parsed(side) for side in given]
    letters = set().union(*(side.free_symbols for side in ours))
    if not letters & set().union(*(side.free_symbols for side in theirs)):
        return not letters and _same_number_everywhere(ours, theirs, key)
    sides = with_complex_letters(*ours, *theirs)
    ours, theirs = list(sides[:2]), list(sides[2:])
    verdict = same_equation(ours, theirs, key)
    if verdict is not None:
        return verdict
    if not share_roots(ours, theirs, key):  # nothing is true of an empty list of roots
        return False
    if is_solved(ours) or is_solved(theirs):
        return True
    equation = import_module("sympy").Eq
    return _verified(equation(*ours, evaluate=False), equation(*theirs, evaluate=False))


def _same_number_everywhere(ours: Sequence[Any], theirs: Sequence[Any], key: str) -> bool:
    value = ours[0]
    return all(_are_equal_values(value, side, key) for side in (*ours[1:], *theirs))


def _verified(wanted: Any, given: Any) -> bool:
    return bool(_library().verify(wanted, given, timeout_seconds=None, raise_on_error=True))


@lru_cache(maxsize=256)
def _parsed_ground_truth(text: str) -> Any:
    return _parsed(text, is_ground_truth=True)


def _parsed(text: str, *, is_ground_truth: bool = False) -> Any:
    """The SymPy object of one value, without its unit."""
    library = _library()
    body = unmistakable(split_unit(text, is_ground_truth=is_ground_truth)[0])
    try:
        latex = library.normalize(body, library.config)
        is_real = not (library.is_complex(latex) or _UNIT.search(latex))
        value = library.parse(latex, is_real=is_real, normalization_config=None, conversion_config=library.conversion)
        value = value if is_real else _with_imaginary_unit(value)
    except MemoryError:
        raise
    except Exception as error:
        raise _UnparseableError from error
    if _drops_a_letter(body, value):
        raise _UnparseableError
    return value


def _drops_a_letter(text: str, value: Any) -> bool:
    """Did the parser leave out a letter of the text, such as the a of `\\sin_a x`?"""
    if not isinstance(value, import_module("sympy").Expr):
        return False
    written = set("".join(_NO_LETTERS.sub(" ", text).split()))
    read = {sign for part in import_module("sympy").preorder_traversal(value) for sign in _name_of(part)}
    return not {sign for sign in written if sign.isalpha() and sign.isascii()} <= read | _UNNAMED


def _name_of(part: Any) -> str:
    return str(part.name) if part.is_Symbol else str(getattr(part.func, "__name__", ""))


def _with_imaginary_unit(value: Any) -> Any:
    """The expression with i as the imaginary unit; the parser leaves it a letter, so that e^{i\\pi} would not be -1."""
    sympy = import_module("sympy")
    letters = [symbol for symbol in getattr(value, "free_symbols", ()) if symbol.name == "i"]
    return value.subs(dict.fromkeys(letters, sympy.I)) if isinstance(value, sympy.Expr) else value


class _Library:
    """What is used of Math-Verify, imported late: the server process never loads SymPy."""

    def __init__(self) -> None:
        for name in ("math_verify", "latex2sympy2_extended"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)  # it logs the whole answer at each failure
        grader = import_module("math_verify.grader")
        latex = import_module("latex2sympy2_extended.latex2sympy2")
        self.verify: Any = grader.verify
        self.is_complex: Any = grader.should_treat_as_complex
        self.parse: Any = latex.latex2sympy
        self.seed: Any = import_module("sympy.core.random").seed
        self.normalize: Any = latex.normalize_latex
        self.conversion = latex.ConversionConfig(lowercase_symbols=False)  # r is not R
        self.config = latex.NormalizationConfig(
            basic_latex=True, units=False, malformed_operators=True, nits=True, boxed="none"
        )


@lru_cache(maxsize=1)
def _library() -> _Library:
    return _Library()
