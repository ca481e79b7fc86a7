"""Degrees: `20^\\circ` is the number `\\frac{\\pi}{9}`, and `\\sin 25` is not `\\sin 25^\\circ`.

A degree sign may be left out where it only is the unit of the value (`90-x` for `90^\\circ - x`), not within a function
or an exponent. Not covered: minutes and seconds of an angle within an expression; temperatures are units.
"""

from __future__ import annotations

import re

from reward_server.grading.numbers.units import split_unit

SIGN = "^\\circ"
_PI = re.compile(r"\\pi(?![A-Za-z])")
_FUNCTION = re.compile(r"\\(?:sin|cos|tan|cot|sec|csc|arcsin|arccos|arctan|ln|log|exp|operatorname)(?![A-Za-z])")
_TEMPERATURE = re.compile(r"\^\\circ ?(?:\\text ?\{ ?[CF] ?\}|[CF](?![A-Za-z]))")
_SIMPLE_BASE = re.compile(r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+|\\[A-Za-z]+|[A-Za-z](?:_(?:[0-9A-Za-z]|\{[^{}]*\}))?) ?$")

_MAX_SIGNS = 16
"""More are not read: each is found by a walk through the text."""
_OPENS = {")": "(", "}": "{"}


def with_angles(ground_truth: str, answer: str) -> tuple[str, str] | None:
    """Both texts without degree signs: in radians, or with the signs left out. None: they are surely different.

    To be called where at least one has a sign.
    """
    if _TEMPERATURE.search(ground_truth) or _TEMPERATURE.search(answer):
        return ground_truth, answer
    if SIGN not in ground_truth and _is_worked_out(ground_truth) and _FUNCTION.search(answer):
        return None  # a value has to be written out
    if _is_inside(ground_truth) or _is_inside(answer) or _has_pi(ground_truth) or _has_pi(answer):
        return _in_radians(ground_truth), _in_radians(answer)
    if SIGN in ground_truth and SIGN in answer:
        return _in_radians(ground_truth), _in_radians(answer)
    return ground_truth.replace(SIGN, " "), answer.replace(SIGN, " ")


def _has_pi(text: str) -> bool:
    return _PI.search(text) is not None


def _is_worked_out(text: str) -> bool:
    return not (_has_pi(text) or _FUNCTION.search(text))


def _is_inside(text: str) -> bool:
    """Does a degree sign stand behind a function's name, or in an exponent?"""
    at = text.find(SIGN)
    if at < 0:
        return False
    return _FUNCTION.search(text) is not None or re.search(r"\^ ?\{[^{}]*\^\\circ", text) is not None


def _in_radians(text: str) -> str:
    """`30^\\circ` as `(30\\cdot\\frac{\\pi}{180})`; what has no base that is read stays and is read by nobody."""
    value, unit = split_unit(text)
    text = value if unit == "radian" else text
    at = text.find(SIGN)
    for _ in range(_MAX_SIGNS):
        start = _base_start(text, at) if at >= 0 else -1
        if start < 0:
            return text
        behind = text[at + len(SIGN) :]
        text = f"{text[:start]}({text[start:at].strip()}\\cdot\\frac{{\\pi}}{{180}}){behind}"
        at = text.find(SIGN)
    return text


def _base_start(text: str, end: int) -> int:
    """Where the base of the degree sign at `end` begins; -1 where it is not read."""
    before = text[:end].rstrip()
    if before[-1:] in _OPENS:
        start = _opening(before, len(before) - 1)
        if before[-1] == ")" or start < 0:
            return start
        if before[start - 1 : start] == "}":  # \frac{…}{…}
            start = _opening(before, start - 1)
        return start - 5 if before[:start].endswith("\\frac") else start
    match = _SIMPLE_BASE.search(before)
    return -1 if match is None else match.start()


def _opening(text: str, end: int) -> int:
    level = 0
    for at in range(end, -1, -1):
        level += (text[at] == text[end]) - (text[at] == _OPENS[text[end]])
        if level == 0:
            return at
    return -1
