"""One spelling for what LaTeX spells in many ways. Text in, text out, linear; it never changes a value.

Used by every tier of `check=math`, on ground truth and answer alike. Not covered: macros, comments, sentences (a box
should hold the answer alone), `\\log` (left to Math-Verify: it may be any logarithm).
"""

from __future__ import annotations

import re

from reward_server.grading.text.backslashes import undoubled
from reward_server.grading.text.characters import as_latex
from reward_server.grading.text.plain_text import with_commands
from reward_server.grading.text.rewrites import REWRITES
from reward_server.grading.text.words import as_value

_COMMANDS = {
    "": "left right middle displaystyle textstyle big Big bigg Bigg bigl bigr Bigl Bigr limits boldsymbol bm bold "
    "underline tiny scriptsize footnotesize small normalsize large Large LARGE huge Huge mathstrut",
    " ": "quad qquad thinspace enspace",
    "\\frac": "dfrac tfrac cfrac nicefrac sfrac",
    "\\text": "mbox hbox textrm textnormal textbf textit textsf texttt mathrm mathbf mathit mathsf mathtt",
    "\\le": "leq leqslant leqq",
    "\\ge": "geq geqslant geqq",
    "\\ne": "neq",
    "<": "lt",
    ">": "gt",
    "{": "lbrace",
    "}": "rbrace",
    "\\pi": "uppi",
    "\\cdot": "times ast",
    "\\\\": "cr",
    ":": "colon",
    "\\binom": "dbinom tbinom",
    "\\emptyset": "varnothing",
    "\\setminus": "backslash smallsetminus",
    "\\lor": "vee",
    "\\land": "wedge",
    "\\to": "rightarrow longrightarrow",
    "|": "lvert rvert vert",
    "[": "lbrack",
    "]": "rbrack",
    "\\ldots": "dots cdots dotsc dotsb dotsm",
    "(": "langle",
    ")": "rangle",
    "^\\circ": "degree degrees",
    "\\tan": "tg",
    "\\cot": "ctg cotg",
    "\\arctan": "arctg",
    "\\csc": "cosec",
    "\\log_{10}": "lg",
    "\\sinh": "sh",
    "\\cosh": "ch",
    "\\tanh": "th",
    "\\approx": "simeq thickapprox",
    "£": "pounds textsterling",
    "€": "euro texteuro",
    "¥": "yen textyen",
    "₹": "rupee",
    "¢": "textcent",
    "\\$": "textdollar",
}
_REPLACEMENT = {f"\\{name}": new for new, names in _COMMANDS.items() for name in names.split()} | {
    "\\Bbb": "\\mathbb",
    "\\lbrace": "\\{",
    "\\rbrace": "\\}",
    "\\%": "%",
    **dict.fromkeys(("\\,", "\\;", "\\:", "\\ ", "\\>"), " "),
    **dict.fromkeys(("\\(", "\\)", "\\[", "\\]"), ""),
}

_COMMAND = re.compile(r"\\(?:[A-Za-z]+|[^A-Za-z])")
_ROW_END = re.compile(r"\\\\\s*\[[^\[\]{}]*\]")  # \\[4pt]
_VECTORS = re.compile(
    r"(\\(?:vec|mathbf|boldsymbol|bm|overrightarrow|hat|nabla)(?![A-Za-z])(?: ?\{[^{}]*\}| [A-Za-z])?) ?\\times ?"
    r"(?=\\(?:vec|mathbf|boldsymbol|bm|overrightarrow|hat)(?![A-Za-z]))"
)
_SPACE = re.compile(r"(?<![0-9]) | (?![0-9])")
_PLAIN = re.compile(r"-?[0-9]+(?:\.[0-9]+)?|[A-Za-z]")
"""What most answers are, and what is normal already."""
_A_BOLD = r"\\(?:mathbf|boldsymbol|bm) ?\{ ?([a-cf-hj-z]) ?\}"
_BOLD = re.compile(rf"{_A_BOLD}(?=.*\S)|(?:(?<=\S)|(?<=\S )){_A_BOLD}")
"""A bold letter in an expression is a vector; alone it may be anything."""
_ONE_VECTOR = re.compile(r"\\vec ?\{? ?([A-Za-z]) ?\}?")
"""Alone it is its letter, as a bold one is."""
_QUANTITY = re.compile(r"([-+]?[0-9][0-9.,/]*) ([A-Za-zμ][A-Za-zμ /.-]*(?:\^[0-9])?)")
"""An upright number with its unit: `\\text{3.5 m}`."""
_MAX_WRAPPERS = 5
_SURROUNDED = re.compile(r"(\*\*|[\"`*])(.*)\1", re.DOTALL)
_TRAILING = re.compile(r"(?: ?(?:\\(?:black)?square(?![A-Za-z])|\\checkmark|\\qed|\\\\|[,;]|(?<!\.)\.(?!\.)))+ ?$")
_MAY_TRAIL = frozenset("ekd\\,;.")
"""The last characters of what `_TRAILING` takes away."""


def normalise(text: str) -> str:
    """`text` with one spelling a notation, single spaces, and without the wrappers and the full stop around it."""
    if _PLAIN.fullmatch(text):
        return text
    if "\\times" in text and _VECTORS.search(text):
        text = _VECTORS.sub(r"\1\\cross ", text)  # not the product that \cdot is
    if "\\mathbf" in text or "\\b" in text:
        text = _BOLD.sub(r"\\vec{\1\2}", text)
    text = _ROW_END.sub(r"\\\\", undoubled(as_latex(text)))
    text = _COMMAND.sub(lambda command: _REPLACEMENT.get(command.group(), command.group()), text)
    text = with_commands(_bare(" ".join(text.split())))
    for needle, pattern, new in REWRITES:
        if needle in text:  # most are not, and looking is cheaper than matching
            text = pattern.sub(new, text)
    text = _undecorated(" ".join(text.split()))
    for _ in range(_MAX_WRAPPERS):
        inside = _unwrapped(text)
        if inside == text:
            break
        text = inside
    return as_value(text)


def compact(text: str) -> str:
    """A normalised text without a leading plus and without spaces but between digits (`4 2` is not 42)."""
    return _SPACE.sub("", text).removeprefix("+")


def _bare(text: str) -> str:
    """Without the marks around it that mean emphasis: `**42**`, `"42"`."""
    surrounded = _SURROUNDED.fullmatch(text) if text and text[0] in '*"`' else None
    return surrounded[2].strip() if surrounded and surrounded[1] not in surrounded[2] else text


def _undecorated(text: str) -> str:
    """Without what ends a formula and says nothing: `42;`, `42 \\\\`, `42 \\square`."""
    if text and text[-1] in _MAY_TRAIL:
        text = _TRAILING.sub("", text)
    return text


def _unwrapped(text: str) -> str:
    """`{…}` and `\\text{…}` around all of the text add nothing, nor does the arrow over a vector that stands alone."""
    if text.startswith("\\vec") and (letter := _ONE_VECTOR.fullmatch(text)):
        return letter[1]
    opening = next((start for start in ("\\text{", "{") if text.startswith(start)), None)
    if opening is None or closing_brace(text, len(opening) - 1) != len(text) - 1:
        return text
    inside = text[len(opening) : -1].strip()
    quantity = _QUANTITY.fullmatch(inside) if opening == "\\text{" else None
    return rf"{quantity[1]} \text{{{quantity[2]}}}" if quantity else inside


def closing_brace(text: str, at: int) -> int:
    """Where the brace opened at `at` is closed; -1 when it is not. Escaped braces do not count."""
    depth = 0
    for token in _BRACE.finditer(text, at):
        depth += {"{": 1, "}": -1}.get(token.group(), 0)
        if depth == 0:
            return token.start()
    return -1


_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
