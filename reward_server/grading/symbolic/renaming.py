"""Letters that stand for anything: `f(t)=3t-2` is `f(x)=3x-2`, `\\frac{\\pi}{7}+n\\pi` is `\\frac{\\pi}{7}+k\\pi`.

Renamed are the arguments of a function or the index of a sequence that the ground truth defines, and one or two letters
that only one side has, where the ground truth is a family:

- a whole number j, k, l, m, n, t, the only letter, in a multiple of π or of degrees, in `x = 2k+1`, or where the ground
  truth says `k \\in \\mathbb{Z}` or "integer"
- a parameter of a point or line: the only letter of a tuple or a column
- constants of integration, C, c, A, B, K, k, D, with or without an index: a term of their own, a factor
  of `e^`, or anywhere in `y = …` and `f(x) = …`; two with an index are also turned, C_1 for C_2

A lone letter is the question's: `2k+1` is not `2n+1`. So is a letter that is the ground truth's name.
The renaming holds for the whole answer, and no two letters become one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import permutations

from reward_server.grading.symbolic.linear import letters_of, linear_form
from reward_server.grading.text.brackets import split_top
from reward_server.grading.text.normalise import compact

_LETTER = re.compile(
    r"\\text ?\{[^{}]*\}|\\(?:begin|end|mathbb) ?\{[^{}]*\}"  # no letters
    r"|(?P<letter>\\(?:lambda|mu|alpha|beta|theta)(?![A-Za-z])(?: (?=[A-Za-z]))?|[A-Za-z](?:_(?:[0-9]|\{[0-9]+\}))?)"
    r"|\\[A-Za-z]+"
)
_CALL = re.compile(r"([A-Za-z](?:_[0-9])?'*)\(([a-z](?:,[a-z])*)\)=")
_INDEXED = re.compile(r"([A-Za-z])_\{?([a-z])\}?=")
_NAME = re.compile(r"(?:^|(?<=[,;] )|(?<=[,;]))([^=<>,;]{1,20}?) ?(?:=|\\in(?![A-Za-z]))")
_WHOLE = frozenset("jklmnt")
_PARAMETERS = frozenset({*"jklmnrstuv", "\\lambda", "\\mu", "\\alpha", "\\beta"})
_CONSTANT = re.compile(r"[CcABKkD](?:_(?:[0-9]|\{[0-9]+\}))?")
_BOUND = re.compile(r"([a-z]) ?\\in ?\\mathbb ?\{? ?[ZN]")
_FUNCTION = re.compile(r"[xyzuw]|[A-Za-z]\([a-z](?:,[a-z])*\)")
_FIXED = frozenset("eid")
_EXPONENT = re.compile(r"\^ ?(\{[^{}]*\}|[A-Za-z])")
_QUESTIONS = frozenset("abmnpqr")
"""Beside these a lone c or k is the question's too: `a+c` is not `a+k`."""
_ROUND = re.compile(r"\\pi(?![A-Za-z])|\^\\circ")
_MULTIPLE = re.compile(r"[0-9a-z(){}\[\]+\-*/., ]*")
_IN_MULTIPLE = re.compile(r"\\(?:frac|pi|cdot|pm|mp|infty|arcsin|arccos|arctan)(?![A-Za-z])|\\sqrt\{[0-9]*\}|\^\\circ")
_UNDER = re.compile(r"\\frac\{[^{}]*\}\{[^{}]*[a-z]|/ ?\(?[^()]*[a-z]")
_SUM = frozenset({"+", "-", ",", "\\lor"})
_APART = frozenset({",", ";", "\\lor"})
_MOST = 2
_MOST_LETTERS = 8
"""With more letters it is no family of two."""


def renamings(raw_ground_truth: str, ground_truth: str, answer: str) -> list[str]:
    """The answer as it is, or, where letters are to be renamed, with the ground truth's, in all ways that fit."""
    if ground_truth[:1].isdigit() and ground_truth.isdigit():
        return [answer]
    head = _head(ground_truth)
    free = _free_letters(raw_ground_truth, ground_truth)
    if head is None and not free:
        return [answer]
    if head is not None:
        answer = _with_arguments(head, answer)
    wanted, given = set(_letters(ground_truth)), set(_letters(answer))
    ours = sorted(wanted - given - _in_names(ground_truth))
    theirs = sorted(given - wanted - _in_names(answer))
    if not ours and not theirs:
        return [answer, *_with_constants_turned(free, answer)]
    if (
        not ours
        or len(ours) != len(theirs)
        or len(ours) > _MOST
        or not all(ours_letter in free for ours_letter in ours)
    ):
        return [answer]
    ways = [dict(zip(theirs, order, strict=True)) for order in permutations(ours)]
    fitting = [
        way for way in ways if all(_is_of_kind(theirs_letter, free[way[theirs_letter]]) for theirs_letter in way)
    ]
    return [_renamed(answer, way) for way in fitting] or [answer]


def _with_constants_turned(free: dict[str, str], answer: str) -> list[str]:
    """`C_1e^{-x}+C_2e^x` for `C_1e^x+C_2e^{-x}`: of two numbered constants nobody knows which is the first."""
    numbered = [letter for letter, kind in free.items() if kind == "constant" and "_" in letter]
    if len(numbered) != _MOST or numbered[0][0] != numbered[1][0]:
        return []
    one, other = numbered
    return [_renamed(answer, {one: other, other: one})]


def _letters(text: str) -> Iterator[str]:
    return (match["letter"].strip() for match in _LETTER.finditer(text) if match["letter"])


def _in_names(text: str) -> set[str]:
    """The letters that stand before `=` only: one side may do without the x of `x = n\\pi`."""
    if text.startswith("\\{"):
        return set()
    return {letter for match in _NAME.finditer(text) if "\\in" not in match[0] for letter in _letters(match[1])}


def _renamed(text: str, names: dict[str, str]) -> str:
    def new(match: re.Match[str]) -> str:
        letter = match["letter"]
        name = names.get(letter.strip()) if letter else None
        return match.group() if name is None else f"{name} " if name.startswith("\\") else name

    return _LETTER.sub(new, text)


@lru_cache(maxsize=1024)
def _head(text: str) -> tuple[str, tuple[str, ...]] | None:
    """(name, arguments) of `f(x,y) = …` and `a_n = …`."""
    flat = compact(text[:40])
    if match := _CALL.match(flat):
        return f"{match[1]}()", tuple(match[2].split(","))
    if (match := _INDEXED.match(flat)) and match[2] in _letters(text.partition("=")[2]):  # y_p names a solution
        return f"{match[1]}_", (match[2],)
    return None


def _with_arguments(head: tuple[str, tuple[str, ...]], answer: str) -> str:
    """The answer with the arguments of the ground truth, where it defines the same function."""
    given = _head(answer)
    if given is None or given[0] != head[0] or given == head or len(given[1]) != len(head[1]):
        return answer
    names = dict(zip(given[1], head[1], strict=True))
    others = set(_letters(answer)) - names.keys()
    if others & set(head[1]) or len(names) < len(head[1]):
        return answer
    return _renamed(answer, names)


@lru_cache(maxsize=1024)
def _free_letters(raw: str, text: str) -> dict[str, str]:
    """The letters that may be renamed, each with the kind of letter that it is."""
    letters = set(_letters(text)) - _FIXED
    names = [] if text.startswith("\\{") else [match[1] for match in _NAME.finditer(text)]
    bound = set(_BOUND.findall(raw))
    letters -= {letter for name in names for letter in _letters(name)} - bound
    if not 0 < len(letters) <= _MOST_LETTERS:
        return {}
    body = text.partition("=")[2].strip() if names and "=" in text else text
    terms = split_top(body, _SUM)[0]
    named = compact(names[0]) if names else ""
    kinds = {letter: _kind(letter, raw, body, terms, named, letters) for letter in letters}
    return {letter: kind for letter, kind in kinds.items() if kind}


def _kind(letter: str, raw: str, body: str, terms: list[str], name: str, letters: set[str]) -> str:
    if letter in _WHOLE and letters == {letter} and _is_whole(letter, raw, body, terms, bool(name)):
        return "whole"
    if letter in _PARAMETERS and letters - (set("ijk") - {letter}) == {letter} and _is_vector(body):
        return "parameter"
    if _CONSTANT.fullmatch(letter) and _has_variable(body) and _is_constant(letter, body, terms, name):
        return "constant"
    return ""


def _is_whole(letter: str, raw: str, body: str, terms: list[str], has_name: bool) -> bool:
    if re.search(rf"(?<![A-Za-z\\]){letter} ?\^", body):
        return False
    if re.search(rf"(?<![A-Za-z\\]){letter} ?\\in ?\\mathbb|integer", raw):
        return True
    if any(_is_multiple(letter, term) for term in terms):
        return True
    form = linear_form(body)
    is_sum = form is not None and letters_of(form) == [letter] and form[letter].denominator == 1 and len(form) > 1
    return is_sum and has_name


def _has_variable(body: str) -> bool:
    """A constant is one beside a variable: `A+C` and `A, C` may be points, sets or choices."""
    small = {letter for letter in _letters(body) if not letter[0].isupper()} - _FIXED
    return not all(map(_CONSTANT.fullmatch, small))


def _is_constant(letter: str, body: str, terms: list[str], name: str) -> bool:
    if any(letter in _letters(exponent) for term in terms for exponent in _EXPONENT.findall(term)):
        return False  # e^{kx}
    others = {other for term in terms for other in _letters(term)} - {letter}
    if _FUNCTION.fullmatch(name) or (_is_summand(letter, body) and not _QUESTIONS & others):
        return True
    return any(compact(term).startswith(f"{letter}e^") for term in terms)


def _is_summand(letter: str, body: str) -> bool:
    """Is it a term of a sum? As a member of a list it is a value of its own."""
    sums = (list(filter(None, split_top(piece, _SUM)[0])) for piece in split_top(body, _APART)[0])
    return any(len(terms) > 1 and letter in map(compact, terms) for terms in sums)


def _is_multiple(letter: str, term: str) -> bool:
    """`\\frac{(2k+1)\\pi}{6}`, `360^\\circ k`; but `\\pi k^2`, `\\frac{\\pi}{k}`, `\\pi km` are no families."""
    if not _ROUND.search(term) or set(_letters(term)) != {letter}:
        return False
    flat = _ROUND.sub("", term)
    return _UNDER.search(flat) is None and _MULTIPLE.fullmatch(_IN_MULTIPLE.sub("", flat)) is not None


def _is_vector(body: str) -> bool:
    return (body[:1] in {"(", "["} and "," in body) or "\\begin" in body


def _is_of_kind(letter: str, kind: str) -> bool:
    if kind == "constant":
        return _CONSTANT.fullmatch(letter) is not None
    return letter in (_WHOLE if kind == "whole" else _PARAMETERS)
