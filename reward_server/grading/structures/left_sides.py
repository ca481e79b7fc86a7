"""Left sides that only name the value on the right: `V_1:V_2 = 11:21`, `AB \\cdot CD = 12`, `17+25 = 42`.

There the right side alone is an answer. It is none where the left side is an expression in unknowns: `x+y = 7` is an
equation to be solved, `\\frac{x^2}{9}+\\frac{y^2}{4} = 1` a curve.
Names: what holds no letter, capitals (points, areas), letters with an index, values of functions, limits and other
operators over all of the left side, derivatives, letters with an accent, ratios. Other small letters are quantities
where they stand without numbers and powers (`m+n = 13`), but not x, y, z, t, u, v, w, r, \\rho.
"""

from __future__ import annotations

import re

from reward_server.grading.structures.structure import Shape
from reward_server.grading.text.brackets import split_top
from reward_server.grading.text.normalise import compact

_OPERATOR = re.compile(
    r"\\(?:lim|int|iint|oint|sum|prod|max|min|sup|inf|det|gcd|lcm)(?![A-Za-z])|\\frac\{d\}\{d[A-Za-z]\}"
)
_D = r"(?:d|\\partial ?)"
_DERIVATIVE = re.compile(rf"\\frac\{{{_D}(?:\^[0-9])?[A-Za-z]?\}}\{{{_D}[A-Za-z](?:\^[0-9])?\}}")
_ACCENT = re.compile(
    r"\\(?:d?dot|hat|bar|tilde|vec|overline|overrightarrow|widehat|angle|triangle) ?(?:\{[^{}]*\}|[A-Z]+|[a-z])"
)
_CALL = re.compile(r"[A-Za-z](?:_(?:[0-9A-Za-z]|\{[^{}]*\}))?'*(?:\^\{-1\})?\([^()]*\)")
_LETTER = re.compile(r"(?P<command>\\[A-Za-z]+)|[A-Za-z](?P<index>_(?:[0-9A-Za-z]|\{[^{}]*\}))?'*")
_FUNCTION_NAMES = "frac sqrt sin cos tan cot sec csc arcsin arccos arctan ln log lg exp cdot binom pi text"
_FUNCTIONS = frozenset(f"\\{name}" for name in _FUNCTION_NAMES.split())
_UNKNOWN = frozenset({*"xyztuvwr", "\\rho"})
_NOT_ALONE = re.compile(r"[0-9^!]")
_SPACE = re.compile(r"(\\[A-Za-z]+ (?=[A-Za-z]))| ")
_CONSTANTS = frozenset("ei")


def right_side(equation: Shape) -> Shape | None:
    """The value that the left side of an equation names; None where it names none."""
    left, right = _left_side(equation.text), equation.parts[-1]
    rest = left
    for pattern in (_DERIVATIVE, _ACCENT, _CALL):
        rest = pattern.sub("", rest)
    names = _letters(left, rest)
    if not _letters_of(left) and _letters_of(compact(right.text)):  # 0 = x^2+1
        return None
    return right if _is_name(rest, names, right) else None


def _left_side(text: str) -> str:
    """Without spaces, but behind a command: `\\sin x`."""
    left = split_top(text, frozenset({"="}))[0][0]
    return _SPACE.sub(lambda match: match[1] or "", left)


def _letters(left: str, rest: str) -> set[str]:
    """The letters of the left side that are not within a name; none where an operator stands over all of it."""
    return set() if _OPERATOR.match(left) else _letters_of(rest)


def _letters_of(text: str) -> set[str]:
    found = (match.group() for match in _LETTER.finditer(text))
    return {letter for letter in found if letter not in _FUNCTIONS and letter not in _CONSTANTS}


def _is_name(rest: str, letters: set[str], right: Shape) -> bool:
    values = _letters_of(compact(right.text))
    small = {letter for letter in letters if letter.islower() and len(letter) == 1}
    if ":" in rest and right.kind == "ratio":
        return True
    if letters & _UNKNOWN or (letters and compact(right.text) == "0"):
        return False
    if values:  # a relation, unless the left side is a name and the right side has other letters
        return not small and not (values & letters) and all(letter[-1].islower() for letter in values)
    return not small or _NOT_ALONE.search(_without_indices(rest)) is None


def _without_indices(text: str) -> str:
    return re.sub(r"_(?:[0-9A-Za-z]|\{[^{}]*\})", "", text)
