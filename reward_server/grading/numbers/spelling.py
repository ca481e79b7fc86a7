"""Two texts as the algebra of both tiers reads them: marks and degrees written out, two signs side by side made one."""

from __future__ import annotations

import re

from reward_server.grading.numbers.degrees import SIGN, with_angles
from reward_server.grading.text.marks import has_marks, have_same_order, marked

_SIGNS = re.compile(r"(?<=[^\s({=,+\-*/^]) ?([+-]) ?([+-])(?= ?[^\s+\-])")

_BRACKETED = re.compile(r"(?<!\\sqrt)\[([^\[\](),;]*)\]")
_UPRIGHT = re.compile(
    r"(?<![0-9})])(?<![0-9})] )\\text ?\{ ?([A-Za-z]) ?\}(?! ?$)|(?:^|(?<=[-+=(/]))\\text\{([A-Za-z])\}"
)
"""Behind a number, and at the end of a value, it is a unit."""


def plain_pair(ground_truth: str, answer: str) -> tuple[str, str] | None:
    """Both texts, written for the algebra; None: they are surely different."""
    if SIGN in ground_truth or SIGN in answer:
        pair = with_angles(ground_truth, answer)
        if pair is None:
            return None
        ground_truth, answer = pair
    if "\\lfloor" in ground_truth and "[" in answer:
        answer = _BRACKETED.sub(r"\\lfloor \1 \\rfloor ", answer)  # Gauss' brackets
    ground_truth, answer = _with_letters(ground_truth), _with_letters(answer)
    if has_marks(ground_truth) or has_marks(answer):
        ground_truth, answer = marked(ground_truth), marked(answer)
        if not have_same_order(ground_truth, answer):
            return None
    return _with_one_sign(ground_truth), _with_one_sign(answer)


def _with_letters(text: str) -> str:
    """An upright or bold letter is the letter."""
    return _UPRIGHT.sub(r"\1\2 ", text) if "\\text" in text else text


def _with_one_sign(text: str) -> str:
    """`9 + -1i` is `9-1i`."""
    if not ("+ -" in text or "+-" in text or "- -" in text or "--" in text):
        return text
    return _SIGNS.sub(lambda match: "+" if match[1] == match[2] else "-", text)
