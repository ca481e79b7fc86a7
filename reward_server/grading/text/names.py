"""What may stand before `=` and only name the value: `x`, `\\theta_1`, `f(2)`, `f^{-1}(x)`, `\\text{Area}`, `AB`.

Not a name: other commands (`\\not=42`), words that say more than a name (`\\text{it is not}`), and a letter that takes
a number in brackets but names no function by custom: `x(41)=42` is a product.
"""

from __future__ import annotations

import re

from reward_server.grading.text.normalise import compact

_GREEK = (
    "alpha|beta|gamma|delta|epsilon|varepsilon|zeta|eta|theta|vartheta|iota|kappa|lambda|mu|nu|xi|rho|varrho|sigma|tau"
    "|upsilon|phi|varphi|chi|psi|omega|Gamma|Delta|Theta|Lambda|Xi|Sigma|Upsilon|Phi|Psi|Omega|ell|hbar"
)
_INDEX = r"(?:_(?:[0-9A-Za-z]|\{[^{}]*\}))?"
_ACCENTS = "d?dot|hat|bar|tilde|vec|overline|overrightarrow|widehat"
_NAME = re.compile(
    rf"(?P<letter>[A-Za-z])(?P<rest>{_INDEX}'*(?:\^\{{-1\}})?)(?:\((?P<argument>[^()]{{0,20}})\))?"  # x_1, y', f(2)
    rf"|\\(?:{_GREEK})(?![A-Za-z]){_INDEX}'*(?:\([^()]{{0,20}}\))?"
    rf"|\\text\{{[A-Za-z]*\}}{_INDEX}(?:\([^()]{{0,20}}\))?"
    rf"|[A-Z]{{2,4}}{_INDEX}'*"  # AB
    rf"|\\(?:{_ACCENTS})(?:\{{(?:[A-Za-z]{_INDEX}|[A-Z]{{2,3}})\}}|[A-Za-z]){_INDEX}"
    rf"|\([A-Za-z](?:,(?:[A-Za-z]|\\(?:{_GREEK})))+\)|\|[A-Z]{{2}}\||m?\\angle[A-Z]{{1,3}}"  # (x,y), |AB|, \angle ABC
)
_WORDS = re.compile(r" ?\\text ?\{([^{}]*)\}")
_NUMBER = re.compile(r"[-+]?[0-9.]")
_FUNCTIONS = frozenset("fghpqrsuvwyACDEFGHLNPQRSTVW")
_SAYS_MORE = (
    "not no never none neither nor wrong incorrect false maybe perhaps or either but unless except than less more "
    "about around approximately almost least most if minus negative over times plus half"
)
_NO_NAME = frozenset(_SAYS_MORE.split())


def is_name(text: str) -> bool:
    """Is a normalised text a name?"""
    match = _NAME.fullmatch(compact(text))
    if match is None:
        return False
    if words := _WORDS.match(text):
        return not _NO_NAME & set(words[1].lower().split())
    return match["argument"] is None or _is_call(match["letter"], match["argument"])


def _is_call(letter: str, argument: str) -> bool:
    return letter in _FUNCTIONS or not (_NUMBER.match(argument) or letter in argument)
