"""The rewrites of `normalise`, in their order: what must be in the text, the pattern, what it becomes.

They see known commands in one spelling and single spaces. Each is linear: no pattern looks past a brace.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from reward_server.grading.text.unit_symbols import UNIT_RULES

_GREEK = "(?:pi|alpha|beta|gamma|delta|theta|lambda|mu|phi|omega|rho|sigma)(?![A-Za-z])"
_SCALES = "hundred|thousand|million|billion|trillion"
_TEXT = r"\\text ?\{"

_ALL_BUT = "real numbers (?:except|other than|excluding)(?: for)?(?: x ?=)?"
_MOD = rf"(?:\\b?mod(?![A-Za-z])|{_TEXT} ?mod ?\}}|(?<![A-Za-z\\])mod(?![A-Za-z]))"
_BEFORE_CUP = r"([,;][^()\[\]]{1,60}[)\]]|\\\})"
"""The end of an interval or a set."""
_ARGUMENT = r"(?:\{ ?([^{}]*?) ?\}|([0-9A-Za-z]))"
_KNOWN = (
    "tg|ctg|cotg|arctg|cosec|sh|ch|th|sin|cos|tan|cot|arcsin|arccos|arctan|ln|log|lg|max|min|exp|det"
    "|asin|acos|atan|asinh|acosh|atanh"
)
_UPRIGHT = "arcsin|arccos|arctan|sinh|cosh|tanh|sin|cos|tan|cot|csc|ln|log|exp"
_ITS_NAME = {
    "tg": "tan",
    "ctg": "cot",
    "cotg": "cot",
    "arctg": "arctan",
    "cosec": "csc",
    "sh": "sinh",
    "ch": "cosh",
    "th": "tanh",
    **{f"a{name}": f"arc{name}" for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")},  # SymPy's
}


def _binomial(match: re.Match[str]) -> str:
    """`C_n^3`; but `C_1^2` is the square of a constant."""
    lower, upper = match[1] or match[2], match[3] or match[4]
    is_constant = lower.isdecimal() and int(lower) < 3
    return match[0] if is_constant else f"\\binom{{{lower}}}{{{upper}}}"


def _function(match: re.Match[str]) -> str:
    name = _ITS_NAME.get(match[1], match[1])
    return "\\log_{10} " if name == "lg" else f"\\{name} "


def _binomial_turned(match: re.Match[str]) -> str:
    """`C^3_n`"""
    return f"\\binom{{{match[3] or match[4]}}}{{{match[1] or match[2]}}}"


def _binomial_of(match: re.Match[str]) -> str:
    """`{}_nC_3`, `^nC_3`"""
    return f"\\binom{{{match[1] or match[2]}}}{{{match[3] or match[4]}}}"


def _joined(match: re.Match[str]) -> str:
    """12_345 and 12'345"""
    return "".join(character for character in match[1] if character.isdecimal())


Replacement = str | Callable[[re.Match[str]], str]
_RULES: tuple[tuple[str, str, Replacement], ...] = (
    *UNIT_RULES,
    ("\\over", r"\{((?:[^{}]|\{[^{}]*\})*?)\\over(?![A-Za-z])((?:[^{}]|\{[^{}]*\})*)\}", r"\\frac{\1}{\2}"),
    ("approx", rf" ?\(? ?{_TEXT} ?\(?(?:or |which is |is )?approx(?:imately|\.)? ?\}} ?(?=[-0-9.$\\(])", r" \\approx "),
    ("\\approx", r" ?\( ?\\approx([^()]*)\)$", r" \\approx\1"),
    ("\\approx", r"(\\approx ?[-+0-9.,]+) ?\)$", r"\1"),
    ("\\over", r"^([^{}\\]+)\\over(?![A-Za-z])([^{}\\]+)$", r"\\frac{\1}{\2}"),
    ("\\operatorname", rf"\\operatorname ?\{{ ?({_KNOWN}) ?\}} ?", _function),
    ("\\text", rf"{_TEXT} ?({_UPRIGHT}) ?\}} ?(?=[({{0-9A-Za-z\\|^_])(?!\\text)", r"\\\1 "),
    ("^-", r"\^-([0-9]+|[A-Za-z])", r"^{-\1}"),  # e^-x
    ("\\operatorname", r"\\operatorname ?\{ ?(-?[0-9.,]+) ?\}", r"\1"),
    ("\\text", r"\\text ?\{ ?(sgn|sign|lcm|gcd|Re|Im|tr|rank) ?\} ?(?=\()", r"\\operatorname{\1}"),
    ("space", r"\\[hv]space\*? ?\{[^{}]*\}", " "),
    ("\\{", r"\\(max|min|gcd|lcm) ?\\\{((?:[^{}\\]|\\(?![{}]))*)\\\}", r"\\\1(\2)"),
    ("_", rf"{_TEXT} ?C ?\}} ?(?=[_^])", "C"),
    ("C", rf"(?<![A-Za-z\\])C ?_ ?{_ARGUMENT} ?\^ ?{_ARGUMENT}", _binomial),
    ("C", rf"(?<![A-Za-z\\])C ?\^ ?{_ARGUMENT} ?_ ?{_ARGUMENT}", _binomial_turned),
    ("C", rf"(?:\{{ ?\}})?[_^] ?{_ARGUMENT} ?C ?_ ?{_ARGUMENT}", _binomial_of),
    (
        "C(",
        r"(?<![A-Za-z\\])C\(([A-Za-z](?:[+-][0-9A-Za-z])?), ?([0-9A-Za-z]+(?:[+-][0-9A-Za-z])?)\)",
        r"\\binom{\1}{\2}",
    ),
    ("_", r"(?<![0-9A-Za-z_.])([0-9]{1,3}(?:_[0-9]{3})+)(?![0-9_])", _joined),
    ("'", r"(?<![0-9A-Za-z'.^])([0-9]{1,3}(?:'[0-9]{3})+)(?![0-9'])", _joined),
    ("^", r"([A-Za-z]) ?\^ ?(?:\{ ?)?(?:\*|\\cdot(?![A-Za-z]))(?: ?\})?(?! ?[0-9A-Za-z(])", r"\\overline{\1}"),  # z^*
    ("'", r"(?<![0-9A-Za-z)}\]'|])'([0-9A-Za-z][0-9A-Za-z ]{0,40})'(?![0-9A-Za-z'])", r"\1"),  # ['red', 'blue']
    ("!!", r"\( ?2 ?([a-z]) ?\) ?!!", r"(2^{\1} \1!)"),
    ("!!", r"\( ?2 ?([a-z]) ?- ?1 ?\) ?!!", r"\\frac{(2\1)!}{2^{\1} \1!}"),
    ("...", r"(?<!\.)\.\.\.(?!\.)", r"\\ldots "),
    ("√", r"√ ?([0-9]+|[A-Za-z])", r"\\sqrt{\1}"),
    ("√{", r"√\{", r"\\sqrt{"),
    ("∛", r"∛ ?([0-9]+|[A-Za-z])", r"\\sqrt[3]{\1}"),
    ("pi", r"(?<![A-Za-z\\])pi(?![A-Za-z])", r"\\pi "),
    ("oo", r"(?<![A-Za-z\\])oo(?![A-Za-z])", r"\\infty "),  # SymPy's
    ("U", rf"{_BEFORE_CUP} ?U ?(?=[(\[]|\\\{{)", r"\1 \\cup "),
    ("\\text", rf"{_BEFORE_CUP} ?{_TEXT} ?(?:U|union) ?\}} ?(?=[(\[]|\\\{{)", r"\1 \\cup "),
    ("\\bigcup", rf"{_BEFORE_CUP} ?\\bigcup ?(?=[(\[]|\\\{{)", r"\1 \\cup "),
    ("\\mathcal", r"\\mathcal ?\{? ?O ?\}?(?= ?\()", "O"),
    ("\\in", rf"(?<=\\in) ?{_TEXT} ?([RZNQC]) ?\}}", r" \\mathbb{\1}"),
    ("degree", rf"(?<=[0-9}}]) ?{_TEXT} ?degrees? ?\}}$", r"^\\circ"),
    ("\\text", rf" ?{_TEXT} ?[.,;]? ?\}}$", ""),
    (",\\!", r"(?<=[0-9]),\\! ?(?=[0-9]{3}(?![0-9]))", ""),  # 10,\!080
    ("\\!", r"\\! ?", ""),  # negative space
    ("$", r"(?<!\\)\$", ""),  # inner dollars; `\$` is money
    ("{,}", r"(?<=[0-9])\{,\}(?=[0-9]{3}(?![0-9]))", ""),  # 10{,}080
    ("{", r" ?\{([,.:])\} ?", r"\1"),  # 3{,}5
    ("color", r"\\(?:text)?color ?\{[A-Za-z]+\}", ""),
    ("{", r"\{ ?([-+]) ?\}", r"\1"),  # {-}5
    ("\\text", rf"{_TEXT} ?(\\\$|%) ?\}} ?", r"\1"),
    # units: \frac{\text{km}}{\text{h}}, \text{km}/\text{h}, \text{N}\cdot\text{m}
    (
        "\\frac",
        rf"\\frac ?\{{ ?{_TEXT}([^{{}}]*)\}} ?\}}\{{ ?{_TEXT}([^{{}}]*)\}} ?(\^ ?[23])? ?\}}",
        r"\\text{\1/\2}\3",
    ),
    ("\\text", rf"{_TEXT}([^{{}}]*)\}} ?(/|\\cdot) ?{_TEXT}([^{{}}]*)\}}", r"\\text{\1\2 \3}"),
    ("\\}", r"\\\{ ?\\\}", r"\\emptyset "),
    ("\\mathbb", r"\\mathbb ?R(?![A-Za-z])", r"\\mathbb{R}"),
    ("real numbers", rf"{_TEXT} ?(?:[Aa]ll )?real numbers ?\}}", r"\\mathbb{R}"),
    ("real numbers", rf"^{_TEXT} ?(?:[Aa]ll )?{_ALL_BUT} ?\}} ?(?:x ?= ?)?(.+)$", r"\\mathbb{R}\\setminus\\{\1\\}"),
    ("\\log_", r"\\log_ ?(?:\{ ?e ?\}|e)", r"\\ln "),
    ("\\choose", r"\{ ?([^{}\\]*) ?\\choose(?![A-Za-z]) ?([^{}\\]*)\}", r"\\binom{\1}{\2}"),
    ("\\binom", r"\\binom ?([0-9A-Za-z]) ?([0-9A-Za-z])", r"\\binom{\1}{\2}"),
    ("\\pmod", r"\\pmod ?([0-9])", r"\\pmod{\1}"),
    ("mod", rf"\( ?(?:{_TEXT} ?mod ?\}}|\\b?mod|mod) ?([0-9]+|[a-z]) ?\)", r"\\pmod{\1}"),
    ("\\equiv", rf"(\\equiv[^()=]{{0,60}}?) ?{_MOD} ?(?:\{{ ?)?([0-9]+|[a-z])(?: ?\}})?$", r"\1 \\pmod{\2}"),
    ("\\prime", r"\^ ?(?:\{ ?\\prime ?\}|\\prime(?![A-Za-z]))", "'"),
    ("o", r"(?<=[0-9]) ?\^ ?(?:\{ ?o ?\}|o(?![A-Za-z]))", r"^\\circ"),  # 72^o
    ("~", r"(?<!\\)~", " "),
    ("\\circ", r"\^ ?(?:\{ ?\\circ ?\}|\^? ?\\circ(?![A-Za-z]))", r"^\\circ"),
    ("\\circ", rf"{_TEXT} ?\^\\circ ?([CF]) ?\}}", r"^\\circ\\text{\1}"),
    ("\\text", rf"{_TEXT} ?([ied]) ?\}}", r"\1"),  # upright i, e, d
    ("to", rf"(?<=[0-9]) ?(?:{_TEXT} ?to ?\}}|to(?![A-Za-z])) ?(?=[0-9])", ":"),  # a ratio
    ("\\text", rf"{_TEXT} ?({_SCALES}) ([^{{}}]*)\}}", r"\\text{\1}\\text{\2}"),  # million dollars
    # a list
    ("and", rf",? ?(?:{_TEXT} ?,? ?and ?\}}|(?<![A-Za-z\\])and(?![A-Za-z]))", ", "),
    ("or", rf",? ?(?:{_TEXT} ?,? ?or ?\}}|(?<![A-Za-z\\])or(?![A-Za-z]))", r" \\lor "),
    ("or", r"(?<=[0-9)}])or(?=[a-z] ?(?:[=<>]|\\[gl]e(?![A-Za-z])))", r" \\lor "),  # x<1orx>4
    ("\\text", rf"({_TEXT}[^{{}}]*), *\}}", r"\1}, "),  # 7 \text{ goats, } 4 \text{ cars}
    ("\\", r"\\(frac|sqrt) ?([0-9])", r"\\\1{\2}"),  # \frac12, \sqrt3
    ("\\", r"\\(frac|sqrt) ([A-Za-z])", r"\\\1{\2}"),
    ("\\", rf"\\(frac|sqrt) ?(\\{_GREEK}) ?", r"\\\1{\2}"),  # \frac\pi6
    ("\\sqrt", r"\\sqrt ?\[([^\[\]{}]*)\] ?([0-9A-Za-z])", r"\\sqrt[\1]{\2}"),
    ("\\", r"\\(frac|sqrt|text) \{", r"\\\1{"),
    ("\\frac", r"(\\frac\{[^{}]*\}) ?([0-9A-Za-z])", r"\1{\2}"),  # \frac{270}7
    ("\\frac", rf"(\\frac\{{[^{{}}]*\}}) ?(\\{_GREEK})", r"\1{\2}"),
    ("\\frac", r"(\\frac\{[^{}]*\}) \{", r"\1{"),
    ("{", r"([_^]) ?\{ ?([0-9A-Za-z]) ?\}(?! ?[0-9])", r"\1\2"),  # x^{2}; but x^{1}0 is not x^10
    ("{", r"(?<![\\0-9A-Za-z_^}\] ])\{([0-9.]{1,20})\}", r"\1"),  # {3}/{4}
    ("\\", r"([_^]) ?(\\(?:frac\{[^{}]*\}\{[^{}]*\}|sqrt(?:\[[^\[\]{}]*\])?\{[^{}]*\}))", r"\1{\2}"),  # 5^\frac12
    ("\\log", r"\\log ?(\^ ?(?:[0-9]|\{[^{}]*\})) ?(_ ?(?:[0-9A-Za-z]|\{[^{}]*\}))", r"\\log\2\1"),  # \log^2_3 x
)
REWRITES = tuple((needle, re.compile(pattern), new) for needle, pattern, new in _RULES)
