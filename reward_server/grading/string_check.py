"""`check=string`: normalised string equality, the rule of the paper's published code, for faithful reproduction.

Source: the description of the "is equivalent" rule of Hendrycks et al. 2021 (MATH), which the authors' code uses;
written from that description. It pays no algebraic rewrite, and it pays the FIRST value of a hedge such as
`42 \\text{ or } 41`: reproduce with it, train with `check=math`. Every step is linear in the text.
"""

from __future__ import annotations

import re

from reward_server.grading.answer import Answer

_FRACTION, _ROOT, _UNIT = "\\frac", "\\sqrt", "\\text{ "

_REMOVED = ("\\left", "\\right", "^{\\circ}", "^\\circ", "\\$")
_LONGEST_NAME = 2  # `x =` is dropped, `area =` is not
_BRACES = re.compile(r"[{}]")


def last_box_string(text: str) -> str | None:
    """The content of the last `\\boxed{…}` up to the brace that closes it; None when there is no box or it stays open.

    Escaped braces count as braces here. A `\\fbox` (looked for when there is no `\\boxed`) and a box without a brace
    directly behind it are returned with their command: that code finds them but never unwraps them, so they match no
    ground truth.
    """
    start = text.rfind("\\boxed")
    start = start if start >= 0 else text.rfind("\\fbox")
    if start < 0:
        return None
    depth = 0
    for brace in _BRACES.finditer(text, start):
        depth += 1 if brace.group() == "{" else -1
        if depth <= 0:
            opening = "\\boxed{"
            whole = text[start : brace.end()]
            return whole[len(opening) : -1] if whole.startswith(opening) else whole
    return None


def string_box(text: str) -> Answer | None:
    """As `last_box_string`, with its place."""
    content = last_box_string(text)
    if content is None:
        return None
    box = text.rfind("\\boxed")
    box = box if box >= 0 else text.rfind("\\fbox")
    start = box if content and text.startswith(content, box) else box + len("\\boxed{")
    return Answer(content, start, start + len(content))


def is_same_string(ground_truth: str, answer: str) -> bool:
    """Are both equal after normalising? Where the rule is undefined for one of them, the texts as they are count."""
    left, right = _normalised(ground_truth), _normalised(answer)
    if left is None or right is None:
        return ground_truth == answer
    return left == right


def string_form(text: str) -> str:
    """`text` as it is compared."""
    normalised = _normalised(text)
    return text if normalised is None else normalised


def _normalised(text: str) -> str | None:
    """`text` in normal form, or None where the rule is undefined: two units, a root or fraction of nothing."""
    text = text.replace("\n", "").replace("\\!", "").replace("\\\\", "\\")
    text = text.replace("tfrac", "frac").replace("dfrac", "frac")
    for noise in _REMOVED:
        text = text.replace(noise, "")
    text, *units = text.split(_UNIT)
    if len(units) > 1:
        return None
    text = text.replace("\\%", "").replace(" .", " 0.").replace("{.", "{0.")
    if text.startswith("."):
        text = "0" + text
    text = _without_short_name(text)
    rooted = _with_braced_roots(text)
    return None if rooted is None else _fractions(rooted.replace(" ", ""))


def _without_short_name(text: str) -> str:
    """`x = 5` is `5`."""
    sides = text.split("=")
    return sides[1] if len(sides) == 2 and len(sides[0]) <= _LONGEST_NAME else text


def _with_braced_roots(text: str) -> str | None:
    """`\\sqrt3` is `\\sqrt{3}`; None when a root stands at the very end."""
    head, *tails = text.split(_ROOT)
    if "" in tails:
        return None
    return head + "".join(_ROOT + (tail if tail[0] == "{" else f"{{{tail[0]}}}{tail[1:]}") for tail in tails)


def _fractions(text: str) -> str | None:
    """`\\frac12`, `0.5` and `1/2` are `\\frac{1}{2}`; None for a fraction of nothing."""
    braced = _with_braced_fractions(text)
    if braced is None:
        return None
    if braced == "0.5":
        return "\\frac{1}{2}"
    numerator, slash, denominator = braced.partition("/")
    if slash and _is_plain_integer(numerator) and _is_plain_integer(denominator):
        return f"\\frac{{{numerator}}}{{{denominator}}}"
    return braced


def _with_braced_fractions(text: str) -> str | None:
    head, *tails = text.split(_FRACTION)
    if "" in tails:
        return None
    if any(tail[0] != "{" and len(tail) == 1 for tail in tails):
        return text  # one lone argument somewhere: that code then leaves every fraction as it is
    return head + "".join(_FRACTION + _braced_arguments(tail) for tail in tails)


def _braced_arguments(tail: str) -> str:
    """`12…` is `{1}{2}…`, `1{2}…` is `{1}{2}…`; a text that begins with a brace stays."""
    if tail[0] == "{":
        return tail
    if tail[1] == "{":
        return f"{{{tail[0]}}}{tail[1:]}"
    return f"{{{tail[0]}}}{{{tail[1]}}}{tail[2:]}"


def _is_plain_integer(text: str) -> bool:
    """Is it an integer as Python prints one? (No sign but a minus, no leading zero.)"""
    digits = text.removeprefix("-")
    return digits.isascii() and digits.isdecimal() and (text == "0" or digits[0] != "0")
