"""Marks that the parser of the last tier drops: primes, transposes, the variable of a derivative, the order of points.

Each marked letter becomes a letter of its own (`y''` is `y_{722}`, `\\frac{dy}{dx}` is `y_{71dx}`), so that both sides
need the same marks. What cannot be written so becomes unreadable: then only the same text is the same.
`\\angle BAC` is `\\angle CAB`, `\\triangle ABC` any order of its points, `\\overline{AB}` and arcs either direction.
`\\gcd` and `\\operatorname{lcm}` are the same for the same arguments in any order. Variant letters are their letters.
Not covered: products of matrices but next to an inverse or a transpose (`AB` is `BA`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from math import gcd, lcm

from reward_server.grading.text.brackets import split_top

_NAMES = "sin|cos|tan|cot|sec|csc|ln|log|lg|arcsin|arccos|arctan|sinh|cosh|tanh"
_CALLED = rf"\\(?:{_NAMES})(?: ?_ ?(?:[0-9A-Za-z]|\{{[^{{}}]*\}}))? ?(?:[A-Za-z]|\\[A-Za-z]+)"
_COMMANDS = (
    "partial|prime|angle|measuredangle|triangle|over|wide|bar|d?dot|hat|tilde|stackrel|vec|gcd|operatorname|var|gamma|Gamma"
    "|cross"
)
_HAS_MARKS = re.compile(
    rf"'|!!|I|\[ ?[a-z] ?\]|\^ ?\{{? ?(?:T|\\top|\\intercal|\\text|\\dagger)|\\(?:{_COMMANDS})|\\frac ?\{{ ?d"
    rf"|\^ ?\{{ ?[-(]|[0-9] ?_|(?<![A-Za-z\\])f ?[(_]|[A-Z] ?\^ ?\{{ ?-1|{_CALLED} ?\\cdot"
)
_UNREADABLE = "\\unreadable "

_GREEK = r"\\(?!frac|sqrt|partial|cdot|text)[A-Za-z]+"
_INDEX = r"(?: ?_ ?(?:[0-9A-Za-z]|\{[^{}]*\}))?"
_SYMBOL = rf"(?:[A-Za-z]|{_GREEK}){_INDEX}"
_BY = rf"(?:d|\\partial) ?(?:{_SYMBOL})(?: ?\^ ?(?:[0-9]|\{{ ?[0-9]+ ?\}}))?"
_DERIVATIVE = re.compile(
    rf"\\frac ?\{{ ?(d|\\partial) ?(?:\^ ?(?:[0-9]|\{{ ?[0-9]+ ?\}}))? ?({_SYMBOL}) ?\}} ?\{{ ?((?:{_BY} ?)+)\}}"
)
_OPERATOR = re.compile(rf"\\frac ?\{{ ?(d|\\partial) ?(?:\^ ?([0-9]))? ?\}} ?\{{ ?((?:{_BY} ?)+)\}}")
_PRIMED = re.compile(rf"({_SYMBOL}) ?('+)")
_T = r"(?:T|\\(?:top|intercal)(?![A-Za-z])|\\text ?\{ ?T ?\})"
_TRANSPOSE = rf"(?:\{{ ?{_T} ?\}}|{_T})"
_TRANSPOSED = re.compile(rf"(?<![A-Za-z\\])((?!e)[A-Za-z])({_INDEX}) ?\^ ?{_TRANSPOSE}")
_RAISED_TO_T = re.compile(rf"\^ ?{_TRANSPOSE}")
_ANGLE = re.compile(r"m? ?\\(?:measured)?angle ?(?:\{ ?([A-Z]{1,3}) ?\}|([A-Z]{3}|[A-Z]))(?![A-Z])")
_TRIANGLE = re.compile(r"\\triangle ?(?:\{ ?([A-Z]{3}) ?\}|([A-Z]{3}))(?![A-Z])")
_SEGMENT = re.compile(r"\\(overline|bar|overleftrightarrow) ?\{ ?([A-Z]) ?([A-Z]) ?\}")
_ARC = re.compile(r"\\(?:overarc|widehat|wideparen|(?:overset|stackrel) ?\{ ?\\frown ?\}) ?\{ ?([A-Z]{2,3}) ?\}")
_RAY = re.compile(r"\\(?:overrightarrow|vec) ?\{ ?([A-Z]) ?([A-Z]) ?\}")
_INVERSE_FUNCTION = re.compile(r"(?<!\\sin|\\cos|\\tan|\\cot)(?<!\\lo)([fghFGH]) ?\^ ?\{ ?-1 ?\} ?(?=\()")
_NTH_DERIVATIVE = re.compile(r"(?<![A-Za-z\\])([fghuvyFGH]) ?\^ ?\{ ?\( ?([0-9a-z]) ?\) ?\}")
_FUNCTION = re.compile(r"(?<![A-Za-z\\])f((?:_(?:[0-9A-Za-z]|\{[0-9A-Za-z]+\}))?) ?(?=\()")
_CALL = re.compile(rf"(\\(?:{_NAMES})(?: ?_ ?(?:[0-9A-Za-z]|\{{[^{{}}]*\}}))?) ?([A-Za-z]|{_GREEK}) ?(?=\\cdot)")
_VARIANT = re.compile(r"\\var(epsilon|theta|rho|sigma|phi|kappa)(?![A-Za-z])")
_GAMMA = re.compile(r"\\(?:(gamma)|Gamma)(?![A-Za-z])(?! ?\()")
_GAMMA_SMALL = re.compile(r"\\gamma(?![A-Za-z])")
_SKIPPED_OR_I = re.compile(r"\\text ?\{[^{}]*\}|\\operatorname ?\{[^{}]*\}|\\[A-Za-z]+|_\{[^{}]*\}|_.|(I)")
_CROSS = re.compile(r"\\(?:vec|hat|text) ?\{? ?([A-Za-z]) ?\}? ?\\cross ?\\(?:vec|hat|text) ?\{? ?([A-Za-z]) ?\}?")
_COMMON = re.compile(r"\\(?:(gcd|lcm)|operatorname ?\{ ?(gcd|lcm) ?\}) ?(?=\()")
_NUMERAL = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?_ ?(?:\{ ?([0-9]+) ?\}|([0-9]))")
_NOT_COMMUTING = re.compile(
    rf"[A-Z]{_INDEX} ?\^ ?\{{ ?-1 ?\}} ?[A-Z]|[A-Z]{_INDEX} ?[A-Z]{_INDEX} ?\^ ?\{{ ?-1 ?\}}|_\{{74"
)
_FACTORS = re.compile(rf"(?:[A-Z]{_INDEX}(?: ?\^ ?(?:\{{[^{{}}]*\}}|[0-9]))? ?){{2,}}")
_PRIMES = re.compile(r"\^ ?\{ ?((?:\\prime ?)+)\}")
_BARE_ACCENT = re.compile(r"\\(bar|hat|vec|d?dot|tilde|overline) ?([A-Za-z])")
_GAUSS = re.compile(r"(?<![\]}a-z])\[ ?([a-z]) ?\]")
_DAGGERED = re.compile(r"(?<![A-Za-z\\])([A-Za-z]) ?\^ ?\{? ?\\dagger(?![A-Za-z]) ?\}?")
_DOUBLE_FACTORIAL = re.compile(r"(?<![A-Za-z\\])([A-Za-z]) ?!!")
_DROPPED = re.compile(r"(?<![0-9])'|!!|\\partial|\\cross")
_MAX_CALLS = 16
"""More are not read: each is closed by a walk through the text."""
_NOT_INDEX = re.compile(r"[^0-9A-Za-z]")


def have_same_order(ground_truth: str, answer: str) -> bool:
    """Do products of matrices (capitals next to an inverse or a transpose) have their factors in the same order?"""
    if not (_NOT_COMMUTING.search(ground_truth) or _NOT_COMMUTING.search(answer)):
        return True
    return _products(ground_truth) == _products(answer)


def _products(text: str) -> Counter[str]:
    return Counter(match.group().replace(" ", "") for match in _FACTORS.finditer(text))


def has_marks(text: str) -> bool:
    return _HAS_MARKS.search(text) is not None


@lru_cache(maxsize=1024)
def marked(text: str) -> str:
    """A normalised text with a letter of its own for every marked letter."""
    if not has_marks(text):
        return text
    for pattern, new in _RULES:
        text = pattern.sub(new, text)
    text = _with_calls(_with_calls(text, _COMMON, _common), _FUNCTION, _function)
    return _UNREADABLE + text if _DROPPED.search(text) else text


def _derivative(match: re.Match[str]) -> str:
    sign = "d" if match[1] == "d" else "p"
    letter, index = _split(match[2])
    return f"{letter}_{{71{index}{sign}{_as_index(match[3])}}}"


def _primed(match: re.Match[str]) -> str:
    letter, index = _split(match[1])
    return f"{letter}_{{72{index}{len(match[2])}}}"


def _split(symbol: str) -> tuple[str, str]:
    letter, _, index = symbol.partition("_")
    return letter.strip(), _as_index(index)


def _as_index(text: str) -> str:
    return _NOT_INDEX.sub("", text)


def _angle(match: re.Match[str]) -> str:
    points = match[1] or match[2]
    return f"a_{{75{min(points, points[::-1])}}}"


def _triangle(match: re.Match[str]) -> str:
    return f"b_{{76{''.join(sorted(match[1] or match[2]))}}}"


def _segment(match: re.Match[str]) -> str:
    kind = "77" if match[1] != "overleftrightarrow" else "78"
    return f"s_{{{kind}{''.join(sorted((match[2], match[3])))}}}"


def _arc(match: re.Match[str]) -> str:
    return f"s_{{79{min(match[1], match[1][::-1])}}}"


def _unit(match: re.Match[str]) -> str:
    """The parser takes I for the imaginary unit."""
    return "j_{70}" if match[1] else match.group()


_RULES = (
    (_VARIANT, r"\\\1"),
    (_CALL, r"\1(\2)"),  # the parser reads \log_a b \cdot c as \log_a (bc)
    (_PRIMES, lambda match: "'" * match[1].count("prime")),
    (_CROSS, r"c_{69\1\2}"),
    (_BARE_ACCENT, r"\\\1{\2}"),
    (_GAUSS, r"\\lfloor \1 \\rfloor "),
    (_DAGGERED, r"\1_{57}"),
    (_DOUBLE_FACTORIAL, r"\1_{59}"),
    (_DERIVATIVE, _derivative),
    (_OPERATOR, lambda match: f"d_{{56{match[2] or ''}{_as_index(match[3])}}}"),
    (_NTH_DERIVATIVE, r"\1_{73\2}"),
    (_INVERSE_FUNCTION, r"\1_{68}"),
    (_PRIMED, _primed),
    (_TRANSPOSED, lambda match: f"{match[1]}_{{74{_as_index(match[2])}}}"),
    (_RAISED_TO_T, r"^{T_{74}}"),
    (_ANGLE, _angle),
    (_TRIANGLE, _triangle),
    (_SEGMENT, _segment),
    (_ARC, _arc),
    (_RAY, r"s_{67\1\2}"),
    (_GAMMA, lambda match: "u_{66}" if match[1] else "u_{65}"),
    (_GAMMA_SMALL, "u_{66}"),
    (_SKIPPED_OR_I, _unit),
    (_NUMERAL, lambda match: f"n_{{64b{match[2] or match[3]}b{_as_index(match[1].replace('.', 'p'))}}}"),
)


def _with_calls(text: str, pattern: re.Pattern[str], written: Callable[[str, list[str]], str]) -> str:
    """Each call of a function as `written` says."""
    at, left = 0, _MAX_CALLS
    while match := pattern.search(text, at):
        start, end, left = match.end(), _closing(text, match.end()), left - 1
        if end < 0 or left < 0:
            return _UNREADABLE + text
        parts, _ = split_top(text[start + 1 : end], frozenset({","}))
        new = written("".join(group or "" for group in match.groups()), parts)
        text = f"{text[: match.start()]}{new}{text[end + 1 :]}"
        at = match.start() + 1
    return text


def _common(name: str, parts: list[str]) -> str:
    """Computed for whole numbers, else a product that has the arguments for roots, in any order."""
    if all(part.isascii() and part.isdecimal() for part in parts):
        return str((gcd if name == "gcd" else lcm)(*map(int, parts)))
    letter = "q_{63}" if name == "gcd" else "q_{62}"
    product = "".join(f"({letter}+{_term(part)})" for part in parts)
    return f"\\frac{{1}}{{p_{{61}}+{product}}}"


def _function(index: str, parts: list[str]) -> str:
    """f(x), which the parser reads as a product where x is a sum: a fraction with the arguments in its denominator,
    since no sum or product of such fractions is another one."""
    first, *others = parts
    terms = [_term(first), *(f"q_{{60{place}}}({part})" for place, part in enumerate(others))]
    return f"\\frac{{f_{{60{_as_index(index)}}}}}{{p_{{60}}+{'+'.join(terms)}}}"


def _term(text: str) -> str:
    return f"({text})" if text.startswith(("-", "+")) else text


def _closing(text: str, start: int) -> int:
    level = 0
    for at in range(start, len(text)):
        level += (text[at] == "(") - (text[at] == ")")
        if level == 0:
            return at
    return -1
