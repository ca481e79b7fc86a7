"""Mathematics as programs and plain text write it: `sqrt(11)/6`, `x**4`, `2*theta`, `floor(n/2)`, `n <= 12`.

Names count where no letter stands before them and an argument follows, so that words keep their letters.
"""

from __future__ import annotations

import re

_WRAPPING = {"sqrt": ("\\sqrt{", "}"), "√": ("\\sqrt{", "}"), "cbrt": ("\\sqrt[3]{", "}"), "∛": ("\\sqrt[3]{", "}")}
_WRAPPING |= {"exp": ("e^{", "}"), "abs": ("|", "|"), "Abs": ("|", "|"), "factorial": ("(", ")!")}
_WRAPPING |= {"floor": ("\\lfloor ", "\\rfloor "), **dict.fromkeys(("ceil", "ceiling"), ("\\lceil ", "\\rceil "))}
_CALLED = "sqrt|cbrt|exp|[aA]bs|factorial|floor|ceil(?:ing)?|√|∛"
_CALL = re.compile(rf"\\?(?<![A-Za-z])({_CALLED}) ?\(|[()]")
_MAY_CALL = re.compile(rf"(?:{_CALLED}) ?\(")
_IMAGINARY = re.compile(r"(?<=\*) ?I(?![A-Za-z])|(?<![A-Za-z])I ?(?=\*)|(?<=[0-9)] [-+] )I(?= ?/ ?[0-9]|$)")
_BINOMIAL = re.compile(r"(?<![A-Za-z\\])binomial\(([^(),]+), ?([^(),]+)\)")
_GREEK = "(alpha|beta|gamma|delta|theta|lambda|sigma|omega|rho|tau|phi)(?![A-Za-z])"
_GREEK_LETTER = re.compile(
    rf"(?:(?<=[0-9])|(?<=[*/+(=^-]) ?){_GREEK}|(?<![A-Za-z\\{{]){_GREEK}(?= ?[*/+)=^]| ?- ?[0-9(])"
)
"""Beside a sign: a word may be called alpha too."""
_SYMPY_NUMBER = re.compile(r"(?:sqrt|exp|pi|I|[-+*/(). 0-9])*")
"""In `I*R` the letter is a current."""
_ROOT_OF_NUMBER = re.compile(r"(?<![A-Za-z\\])sqrt ?([0-9]+)")
_FUNCTIONS = "arcsin arccos arctan sinh cosh tanh sin cos tan cot sec csc ln log max min gcd lcm"
_NAMES = {name: f"\\{name}" for name in _FUNCTIONS.split()}
_NAMES |= {"asin": "\\arcsin", "acos": "\\arccos", "atan": "\\arctan"}
_NAMED = re.compile(
    rf"(?<![A-Za-z\\{{])({'|'.join(sorted(_NAMES, key=len, reverse=True))})"
    r"(?= ?[(0-9]|[\^_][0-9{]| [A-Za-z](?![A-Za-z])| ?\\(?!text))"
)
_MAY_NAME = re.compile(r"(?<![A-Za-z\\])[a-z]{2}")
_NAMED_IN_BRACES = re.compile(rf"(?<=\{{)({'|'.join(sorted(_NAMES, key=len, reverse=True))})(?= ?\()")
_POWER = re.compile(r"\*\* ?(?:([0-9]+|[A-Za-z])|(-[0-9]+)|\(([^()]*)\))")
_LESS, _GREATER = re.compile(r"<=|=<(?!=)"), re.compile(r"(?<![=<])>=")
_NOT_EQUAL = re.compile(r"(?<![0-9)!}'])( ?)!= ?|(?<=[0-9)}]) != ?|=/= ?")
"""`m != 7` and `x!=3`; but `5!=120` and `(n+1)!=6` are factorials."""


def with_commands(text: str) -> str:
    """The text with LaTeX's commands for such names and signs.

    >>> with_commands("sqrt(11)/6"), with_commands("2**10*x <= exp(3)")
    ('\\\\sqrt{11}/6', '2^{10}*x \\\\le  e^{3}')
    """
    if "=" in text:
        text = _LESS.sub(r"\\le ", text)
        text = _NOT_EQUAL.sub(r"\\ne ", _GREATER.sub(r"\\ge ", text))
    if "**" in text:
        text = _POWER.sub(lambda match: f"^{{{match[1] or match[2] or match[3]}}}", text)
    if "I" in text and _SYMPY_NUMBER.fullmatch(text):
        text = _IMAGINARY.sub("i", text)  # SymPy's
    if "+/-" in text:
        text = text.replace("+/-", "\\pm ")
    if "(" in text and _MAY_CALL.search(text):
        text = _with_calls(text)
    if not _MAY_NAME.search(text):
        return text
    text = _GREEK_LETTER.sub(lambda match: f"\\{match[1] or match[2]} ", text)
    if "binomial(" in text:
        text = _BINOMIAL.sub(r"\\binom{\1}{\2}", text)
    text = _ROOT_OF_NUMBER.sub(r"\\sqrt{\1}", text)
    text = _NAMED.sub(lambda match: f"{_NAMES[match[1]]} ", text)
    return _NAMED_IN_BRACES.sub(lambda match: f"{_NAMES[match[1]]} ", text)


def _with_calls(text: str) -> str:
    """`sqrt(…)` with the bracket that closes it; one that nothing closes stays as it is."""
    pieces: list[str] = []
    opened: list[tuple[int, str, str]] = []  # (its piece, what it becomes, what closes it)
    at = 0
    for match in _CALL.finditer(text):
        pieces.append(text[at : match.start()])
        at = match.end()
        pieces.append(match[0])
        if match[0] == ")":
            if opened:
                place, opening, closing = opened.pop()
                is_base = opening == "e^{" and text[at : at + 2].lstrip().startswith("^")  # exp(x)^2 is no e^{x^2}
                pieces[place], pieces[-1] = ("(e^{", "})") if is_base else (opening, closing)
        else:
            opened.append((len(pieces) - 1, *_WRAPPING.get(match[1] or "", ("(", ")"))))
    return "".join(pieces) + text[at:]
