"""What Math-Verify's parser takes for something else, written so that it cannot. Text in, text out, no other meaning.

- `\\sin{(x)}^2` would be sin(x^2) and `\\ln{(2)}x` ln(2x): braces around a bracketed argument say nothing.
- `\\ln 2\\cdot 3` would be ln 6: a dot ends an argument without brackets, but in an angle: `\\sin 2\\cdot\\pi`.
- `|x|+2|y|` would be |x·|+2|·y|: bars are paired here.
- `d\\sin 2x` would be (dsin)·2·x, the differential of `\\sin`: d is a letter where no integral or derivative is.
- `n!^2` would not be read.
"""

from __future__ import annotations

import re

from reward_server.grading.text.brackets import closes_early
from reward_server.grading.text.normalise import closing_brace

_BRACES = r"\{(?:[^{}]|\{[^{}]*\})*\}"
_SCRIPT = rf"(?:[_^] ?(?:[0-9A-Za-z]|{_BRACES}) ?)"
_NAME = r"\\(?:arcsin|arccos|arctan|sinh|cosh|tanh|coth|sin|cos|tan|cot|sec|csc|ln|log|exp)(?![A-Za-z])"
_HEAD = rf"{_NAME} ?{_SCRIPT}{{0,2}}"
_GREEK = r"\\(?:pi|theta|alpha|beta|gamma|delta|phi|varphi|omega|lambda|mu)(?![A-Za-z])"
_ATOM = rf"(?:[0-9.A-Za-z!]|{_GREEK}|\\frac{_BRACES}{_BRACES}|\\sqrt(?:\[[^\[\]{{}}]*\])?{_BRACES}|{_BRACES}|\|[^|]*\|)"
_IN_BRACES = re.compile(_HEAD + r"(?=\{ ?\()")
_BARE = re.compile(rf"({_HEAD})((?:{_ATOM} ?{_SCRIPT}?)+)(?=\\cdot(?![A-Za-z])|\*)")
_TRIGONOMETRIC = re.compile(r"\\(?:sin|cos|tan|cot|sec|csc)(?![A-Za-z])")
_ANGLE = re.compile(r"(?:\\cdot|\*) ?(?:[0-9.]* ?\\pi|\\frac ?\{[0-9]* ?\\pi)")
_FACTORIAL = re.compile(r"(?<![0-9])([0-9]+|[A-Za-z]|\([^()]*\))(!+)(?= ?\^)")
_IS_DIFFERENTIAL = re.compile(r"\\i*int(?![A-Za-z])|\\oint|\\partial|\\frac\{d[^{}]*\}\{d(?:[A-Za-z]|\\)")
_D = re.compile(r"\\(?:text|operatorname|begin|end|mathbb) ?\{[^{}]*\}|\\[A-Za-z]+|(d)(?= ?[A-Za-z\\])")
_TOKEN = re.compile(r"\\[A-Za-z]+|\S")
_OPENS_BEHIND = frozenset({*"([{+-*/=<>,;^_", "\\cdot", "\\le", "\\ge", "\\ne", "\\lvert", "\\pm", "\\mp"})
_OPENS_BEHIND_NAME = re.compile(rf"{_NAME}|\\l(?:floor|ceil)")


def unmistakable(text: str) -> str:
    """The same, as the parser reads it rightly.

    >>> unmistakable("\\\\sin{(x)}^2"), unmistakable("\\\\ln 2\\\\cdot 3"), unmistakable("|x|+2|y|")
    ('\\\\sin(x)^2', '\\\\ln (2)\\\\cdot 3', '\\\\lvert x\\\\rvert +2\\\\lvert y\\\\rvert ')
    """
    if "!" in text and "^" in text:
        text = _FACTORIAL.sub(r"(\1\2)", text)
    if "\\" in text:
        if "{" in text:
            text = _without_braces(text)
        if "\\cdot" in text or "*" in text:
            text = _BARE.sub(_bracketed, text)
    if "d" in text and not _IS_DIFFERENTIAL.search(text):
        text = _D.sub(lambda match: "{d}" if match[1] else match[0], text)
    return _with_paired_bars(text) if text.count("|") > 2 else text


def _bracketed(match: re.Match[str]) -> str:
    is_number_of_angle = _TRIGONOMETRIC.match(match[1]) and re.fullmatch(r"[0-9. ]+", match[2])
    is_part_of_angle = is_number_of_angle and _ANGLE.match(match.string, match.end())
    return match[0] if is_part_of_angle else f"{match[1].rstrip()} ({match[2].strip()})"


def _without_braces(text: str) -> str:
    """Braces that hold one pair of brackets, behind a function's name."""
    at = 0
    while match := _IN_BRACES.search(text, at):
        end = closing_brace(text, match.end())
        inside = text[match.end() + 1 : end].strip()
        if end > 0 and inside.endswith(")") and not closes_early(inside):
            text = text[: match.end()] + inside + text[end + 1 :]
        at = match.end() + 1
    return text


def _with_paired_bars(text: str) -> str:
    """A bar closes the last open one of its own brackets where a value stands before it.

    The text as it is where that leaves one open.
    """
    pieces: list[str] = []
    opened: list[int] = []  # how deep in brackets
    at, level, before = 0, 0, "("
    for token in _TOKEN.finditer(text):
        sign = token.group()
        level += (sign in "([{") - (sign in ")]}")
        if sign == "|":
            is_value = before not in _OPENS_BEHIND and not _OPENS_BEHIND_NAME.fullmatch(before)
            if is_value and opened and opened[-1] == level:
                opened.pop()
                sign = "\\rvert"
            else:
                opened.append(level)
                sign = "\\lvert"
            pieces += (text[at : token.start()], f"{sign} ")
            at = token.end()
        before = sign
    return text if opened else "".join(pieces) + text[at:]
