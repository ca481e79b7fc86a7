"""Units behind a value: optional in an answer, but a wrong one is wrong.

Not covered: conversion (1 km is not 1000 m here), compound units written in two ways (`km/h`, `km h^{-1}`).
"""

from __future__ import annotations

import re

_SYNONYMS = {
    "meter": "m metre",
    "centimeter": "cm centimetre",
    "millimeter": "mm millimetre",
    "kilometer": "km kilometre",
    "inch": "in inche",
    "foot": "ft feet",
    "yard": "yd",
    "mile": "mi",
    "mph": "miles/hour",
    "second": "s sec",
    "minute": "min",
    "hour": "h hr",
    "gram": "g",
    "kilogram": "kg",
    "pound": "lb",
    "liter": "l litre",
    "degree": "deg ^\\circ",
    "celsius": "^\\circc",
    "fahrenheit": "^\\circf",
    "dollar": "\\$ usd",
    "euro": "€ eur",
    "british pound": "£ gbp",
    "cent": "¢",
    "%": "percent percentage pct",
    "": "unit",
}
_CANONICAL = {word: unit for unit, words in _SYNONYMS.items() for word in (unit, *words.split())}
_POWERS = {"square": "^2", "sq": "^2", "squared": "^2", "cubic": "^3", "cubed": "^3"}
_BARE_WORDS = frozenset(_CANONICAL) | {f"{word}s" for word in _CANONICAL} | {"inches", "square", "sq", "cubic"}
"""The words that count as a unit without `\\text{}`. Single letters do not: `5m` is a product."""

_CURRENCY = re.compile(r"([+-]?)\s*(\\\$|[€£])\s*([+-]?)(?=[\s0-9.\\])")
_TEXT = re.compile(r"\\text\{([^{}]*)\}\s*(?:\^\s*\{?\s*([23])\s*\}?)?$")
_SYMBOL = re.compile(r"(?:\^\\circ(?:\s*\\text\{\s*([CF])\s*\}|\s*([CF]))?|%|¢|[€£]|\\\$)$")
_WORDS = re.compile(r"(?<=[0-9}])\s*([A-Za-z]{2,}(?:\s+[A-Za-z]{2,})?)(?:\^([23]))?$")
_NO_UNIT_WORDS = (
    "or and not is if but then either neither nor maybe than to by mod base no answer wrong plus minus times over half "
    "pi hundred thousand million billion trillion dozen factorial"
)
"""Words that say more than a unit: another value, a condition, a factor."""
_NO_UNIT = frozenset(_NO_UNIT_WORDS.split())
_MAX_WORDS = 4
_FUNCTIONS = re.compile(r"\\(?:sin|cos|tan|cot|sec|csc)")


def split_unit(text: str) -> tuple[str, str]:
    """(value, canonical unit) of a normalised text; the unit is "" when there is none or none we understand."""
    if match := _CURRENCY.match(text):
        return (match[1] or match[3]) + text[match.end() :].strip(), _CANONICAL[match[2]]
    for pattern, read in ((_TEXT, _text_unit), (_SYMBOL, _symbol_unit), (_WORDS, _bare_unit)):
        match = pattern.search(text)
        if match and match.start() > 0 and (unit := read(match, text)) is not None:
            return text[: match.start()].strip(), unit
    return text, ""


def _text_unit(match: re.Match[str], text: str) -> str | None:
    """Any short text without digits and connectives names a unit: `\\text{ apples}`."""
    words = match[1].lower().replace(".", "").split()
    if len(words) > _MAX_WORDS or not all(word.replace("/", "").isalpha() for word in words):
        return None
    if _NO_UNIT.intersection(words) or _only_powers(words):
        return None
    return _canonical(words, match[2])


def _symbol_unit(match: re.Match[str], text: str) -> str | None:
    """In `\\sin 30^\\circ` the degree belongs to the argument, not to the value."""
    if match.group().startswith("^\\circ") and _FUNCTIONS.search(text):
        return None
    return _canonical([match.group(0)[:6] + (match[1] or match[2] or "").lower()], None)


def _bare_unit(match: re.Match[str], text: str) -> str | None:
    words = match[1].lower().split()
    is_unit = _BARE_WORDS.issuperset(words) and not _only_powers(words)
    return _canonical(words, match[2]) if is_unit else None


def _only_powers(words: list[str]) -> bool:
    """`5 squared` is 25, and no text is no unit."""
    return _POWERS.keys() >= set(words)


def _canonical(words: list[str], power: str | None) -> str:
    """`square inches` and `inches^2` are `inch^2`; plural and singular are the same."""
    exponent = "".join(_POWERS[word] for word in words if word in _POWERS) or (f"^{power}" if power else "")
    names = [_singular(word) for word in words if word not in _POWERS]
    unit = " ".join(name for name in names if name)
    return unit + exponent if unit else ""


def _singular(word: str) -> str:
    if word in _CANONICAL:
        return _CANONICAL[word]
    stem = word.removesuffix("s")
    return _CANONICAL.get(stem, stem)
