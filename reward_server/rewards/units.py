"""Units behind a value: optional in an answer, but a wrong one is wrong.

A compound unit is its factors and their powers: `km/h`, `km per hour`, `km h^{-1}` and a fraction of two agree.
Not covered: conversion (1 km is not 1000 m here), capitals (`mW` is `MW`), symbols without `\\text{}` but in `45 km/h`.
"""

from __future__ import annotations

import re
from collections import Counter

_SYNONYMS = {
    "meter": "m metre",
    "centimeter": "cm centimetre",
    "millimeter": "mm millimetre",
    "kilometer": "km kilometre",
    "inch": "in inche",
    "foot": "ft feet",
    "yard": "yd",
    "mile": "mi",
    "millisecond": "ms",
    "second": "s sec",
    "minute": "min",
    "hour": "h hr",
    "year": "yr",
    "milligram": "mg",
    "gram": "g",
    "kilogram": "kg",
    "pound": "lb",
    "ounce": "oz",
    "milliliter": "ml millilitre",
    "liter": "l litre",
    "joule": "j",
    "kilojoule": "kj",
    "watt": "w",
    "kilowatt": "kw",
    "newton": "n",
    "pascal": "pa",
    "kilopascal": "kpa",
    "volt": "v",
    "ampere": "a amp",
    "hertz": "hz",
    "mole": "mol",
    "kelvin": "k",
    "radian": "rad",
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
_COMPOUND = {"mph": "mile/hour", "kph": "km/h", "kmph": "km/h", "kmh": "km/h"}
_POWERS = {"square": 2, "sq": 2, "squared": 2, "cubic": 3, "cubed": 3}
_BEFORE = frozenset({"square", "sq", "cubic"})
_BARE_WORDS = frozenset(_CANONICAL) | {f"{word}s" for word in _CANONICAL} | {"inches", *_BEFORE, *_COMPOUND}
"""The words that count as a unit without `\\text{}`. Single letters do only behind a slash: `5m` is a product."""

_POWER = r"\^\s*(?:\{\s*-?[0-9]\s*\}|[0-9])"
_CURRENCY = re.compile(r"([+-]?)\s*(\\\$|[€£]|USD|EUR|GBP)\s*([+-]?)(?=[\s0-9.\\])")
_TEXT = re.compile(rf"\\(?:text|operatorname)\{{((?:[^{{}}]|\^\{{-?[0-9]\}})*)\}}\s*({_POWER})?$")
_SYMBOL = re.compile(r"(?:\^\\circ(?:\s*\\text\{\s*([CF])\s*\}|\s*([CF]))?|%|¢|[€£]|\\\$)$")
_WORDS = re.compile(rf"(?<=[0-9}}])\s*([A-Za-z]{{2,}}(?:{_POWER})?(?:(?:\s+|\s*/\s*)[A-Za-z]+(?:{_POWER})?){{0,3}})$")
_FACTOR = re.compile(
    r"\s*(/|\bper\b|\\cdot|\*)?\s*([^\W\d_]+|[%€£¢]|\\\$|\^\\circ[cf]?)\s*(?:\^\s*\{?\s*(-?[0-9])\s*\}?)?"
)
_NO_UNIT_WORDS = (
    "or and not is if but then either neither nor maybe than to by mod base no answer wrong plus minus times over half "
    "pi hundred thousand million billion trillion dozen factorial"
)
"""Words that say more than a unit: another value, a condition, a factor."""
_NO_UNIT = frozenset(_NO_UNIT_WORDS.split())
_MAX_WORDS = 4
_PARENTHESES = re.compile(r"^\(([^(),]*)\)$")
"""`(\\frac{270}{7})^\\circ`"""
_FUNCTIONS = re.compile(r"\\(?:sin|cos|tan|cot|sec|csc)")


def split_unit(text: str) -> tuple[str, str]:
    """(value, canonical unit) of a normalised text; the unit is "" when there is none or none we understand."""
    if match := _CURRENCY.match(text):
        return (match[1] or match[3]) + text[match.end() :].strip(), _CANONICAL[match[2].lower()]
    for pattern, read in ((_SYMBOL, _symbol_unit), (_TEXT, _text_unit), (_WORDS, _bare_unit)):
        match = pattern.search(text)
        if match and match.start() > 0 and (unit := read(match, text)) is not None:
            return _PARENTHESES.sub(r"\1", text[: match.start()].strip()), unit
    return text, ""


def is_unit(text: str, unit: str) -> bool:
    """Does the text name this unit?"""
    return _canonical(text.lower()) == unit


def _text_unit(match: re.Match[str], text: str) -> str | None:
    """Any short text without digits and connectives names a unit: `\\text{ apples}`."""
    return _canonical(match[1].lower().replace(".", "") + (match[2] or ""))


def _symbol_unit(match: re.Match[str], text: str) -> str | None:
    """In `\\sin 30^\\circ` the degree belongs to the argument, not to the value."""
    if match.group().startswith("^\\circ") and _FUNCTIONS.search(text):
        return None
    return _canonical(match.group(0)[:6] + (match[1] or match[2] or "").lower())


def _bare_unit(match: re.Match[str], text: str) -> str | None:
    unit = match[1].lower()
    first, *others = re.split(r"/", unit)
    bare = {found[2] for found in _FACTOR.finditer(first)}
    known = {found[2] for other in others for found in _FACTOR.finditer(other)}
    return _canonical(unit) if bare <= _BARE_WORDS and known <= _CANONICAL.keys() | _BARE_WORDS else None


def _canonical(text: str) -> str | None:
    """Its factors with their powers, in one order; None for what is no unit, such as `5 squared`, which is 25.

    `square inches` and `inches^2` are `inch^2`; plural and singular are the same.
    """
    text = _COMPOUND.get(text.strip(), text).replace("per cent", "%")
    factors = _factors(text)
    if factors is None or not factors or len(factors) > _MAX_WORDS:
        return None
    powers: Counter[str] = Counter()
    for name, power in factors:
        powers[_singular(name)] += power
    if "celsius" in powers or "fahrenheit" in powers:
        del powers["degree"]
    del powers[""]
    return " ".join(name if power == 1 else f"{name}^{power}" for name, power in sorted(powers.items()) if power)


def _factors(text: str) -> list[tuple[str, int]] | None:
    """(name, power) of each factor of a unit in small letters; None where it says something else."""
    factors: list[tuple[str, int]] = []
    at, raised = 0, 1
    for match in _FACTOR.finditer(text):
        divides, name, power = match[1] in {"/", "per"}, match[2], int(match[3] or 1)
        if text[at : match.start()].strip() or name in _NO_UNIT or not power:
            return None
        at = match.end()
        if name in _BEFORE:
            raised = _POWERS[name]
        elif name not in _POWERS:
            factors.append((name, power * raised * (-1 if divides else 1)))
            raised = 1
        elif factors:
            factors[-1] = (factors[-1][0], factors[-1][1] * _POWERS[name])
    return None if text[at:].strip() else factors


def _singular(word: str) -> str:
    if word in _CANONICAL:
        return _CANONICAL[word]
    stem = word.removesuffix("s")
    return _CANONICAL.get(stem, stem)
