"""Brackets in normalised LaTeX: how deep they stand, where a text may be split, where the first one is closed."""

from __future__ import annotations

import re

MAX_DEPTH = 12
"""Brackets nested deeper are not read: no ground truth needs it, and parsers take exponential time on them."""

_TOKEN = re.compile(r"\\(?:[A-Za-z]+|.)|.", re.DOTALL)
_OPENING = frozenset({"(", "[", "{", "\\{", "\\begin"})
_CLOSING = frozenset({")", "]", "}", "\\}", "\\end"})


def depth(text: str) -> int:
    """How deep brackets and braces are nested."""
    level = deepest = 0
    for token in _TOKEN.findall(text):
        level += (token in _OPENING) - (token in _CLOSING)
        deepest = max(deepest, level)
    return deepest


def split_top(text: str, separators: frozenset[str]) -> tuple[list[str], list[str]]:
    """(pieces, the separators between them): `text` split where no bracket is open."""
    pieces, between, start, level = [], [], 0, 0
    for match in _TOKEN.finditer(text):
        token = match.group()
        level += (token in _OPENING) - (token in _CLOSING)
        if level == 0 and token in separators:
            pieces.append(text[start : match.start()].strip())
            between.append(token)
            start = match.end()
    return [*pieces, text[start:].strip()], between


def closes_early(text: str) -> bool:
    """Is the first bracket closed before the end, as in `(1,2) \\cup (3,4)`?"""
    level = 0
    for match in _TOKEN.finditer(text):
        level += (match.group() in _OPENING) - (match.group() in _CLOSING)
        if level == 0:
            return match.end() < len(text)
    return True
