"""Units behind a value: optional in an answer, but a wrong one is wrong; two units of one dimension are converted.

A compound unit is its factors and their powers: `km/h`, `km per hour`, `km h^{-1}` and a fraction of two agree.
Words behind a number are a unit where they name one (`unit_names`) or what is counted (`nouns`); in a ground truth,
which is trusted, any words that do not say more.
Not covered: conversion between units that differ by more than a factor (degrees Celsius and Fahrenheit).
"""

from __future__ import annotations

import re
from collections import Counter
from fractions import Fraction
from functools import lru_cache

from reward_server.grading.numbers.nouns import is_noun, names_things, says_more, stem
from reward_server.grading.numbers.unit_names import UNITS, WORDS, unit_named

_COMPOUND = {
    "mph": "mile/hour",
    "kph": "kilometer/hour",
    "kmph": "kilometer/hour",
    "kmh": "kilometer/hour",
    "mps": "meter/second",
    "fps": "foot/second",
    "bps": "bit/second",
    "kbps": "kilobit/second",
    "mbps": "megabit/second",
    "gbps": "gigabit/second",
    "kwh": "kilowatt hour",
}
_POWERS = {"square": 2, "sq": 2, "squared": 2, "cubic": 3, "cubed": 3}
_BEFORE = frozenset({"square", "sq", "cubic"})
_BARE = """
cm mm km ft in yd mi ms sec min hr yr mg kg lb oz ml kj kw kpa hz amp mol rad deg usd eur gbp pct mph kph kmh kmph hrs
mins secs yrs lbs kbps mbps gbps bps kwh ev kev mev gev
"""
_BARE_SYMBOLS = frozenset(_BARE.split())
"""Symbols that count without `\\text{}` behind any value; behind a plain number all of two letters and more do."""
_UPRIGHT_SYMBOLS = frozenset({"AU", "dB", "kV", "mV", "kN", "kHz", "MHz", "GHz", "KiB", "MiB", "GiB"})

_POWER = r"\^\s*(?:\{\s*-?[0-9]\s*\}|[0-9])"
_CURRENCY = re.compile(r"([+-]?)\s*((?:US ?)?\\\$|[€£¥₹₩₽]|USD|EUR|GBP|(?:Rs|INR)\.?)\s*([+-]?)(?=[\s0-9.\\])")
_TEXT = re.compile(rf"\\(?:text|operatorname)\{{((?:[^{{}}]|\^\{{-?[0-9]\}})*)\}}\s*({_POWER})?$")
_SYMBOL = re.compile(r"(?:\^\\circ(?:\s*\\text\{\s*([CF])\s*\}|\s*([CF]))?|\\Omega|%|¢|[€£¥₹₩₽]|\\\$)$")
_NAMED = {"^\\circ": "degree", "\\Omega": "ohm", "%": "%"}
_WORDS = re.compile(
    rf"(?<=[0-9}}])(\s*)([A-Za-zμµ]{{1,}}\.?(?:{_POWER})?(?:(?:\s+|\s*/\s*)[A-Za-z]+(?:{_POWER})?){{0,3}})$"
)
_FACTOR = re.compile(
    r"\s*(/|\bper\b|\\cdot|\*)?\s*([^\W\d_]+(?:[-'’][^\W\d_]+)*|[%€£¢¥₹]|\\\$|\^\\circ[CFcf]?)\s*"
    r"(?:\^\s*\{?\s*(-?[0-9])\s*\}?)?"
)
_VOWEL = re.compile(r"[aeiouy]")
_MAX_WORDS = 6
_PARENTHESES = re.compile(r"^\(([^(),]*)\)$")
"""`(\\frac{270}{7})^\\circ`"""
_FUNCTIONS = re.compile(r"\\(?:sin|cos|tan|cot|sec|csc)")
_IN_TOTAL = re.compile(r" in (?:total|all)$")
_BESIDE_UNITS = "a an the of each total altogether long tall wide deep high old apart away whole full us american"
_BESIDE = frozenset(_BESIDE_UNITS.split())
"""Words that may stand beside a known unit."""


def split_unit(text: str, *, is_ground_truth: bool = False, is_number: bool = False) -> tuple[str, str]:
    """(value, canonical unit) of a normalised text; the unit is "" when there is none or none we understand.

    `is_ground_truth`: any words that do not say more name its unit. `is_number`: the value counts only when it is a
    plain number, so that letters behind it are no factors.
    """
    if match := _CURRENCY.match(text):
        return _of_currency(match, text)
    unit: str | None = None
    if match := _SYMBOL.search(text):
        unit = _symbol_unit(match, text) if is_number or match.group() != "\\Omega" else None
    elif "}" in text and (match := _TEXT.search(text)):
        unit = _canonical(match[1] + (match[2] or ""), is_ground_truth)
    elif match := _WORDS.search(text):
        unit = _bare_unit(match, is_ground_truth, is_number)
    if match is None or unit is None or match.start() == 0:
        return text, ""
    return _PARENTHESES.sub(r"\1", text[: match.start()].strip()), unit


def _of_currency(match: re.Match[str], text: str) -> tuple[str, str]:
    """`\\$40`, also `\\$40 \\text{ USD}`."""
    unit = unit_named("\\$" if match[2].endswith("$") else match[2].rstrip(".")) or ""
    value = (match[1] or match[3]) + text[match.end() :].strip()
    if value[-1:].isalpha() or value.endswith("}"):
        inner, again = split_unit(value)
        value = inner if again == unit else value
    return value, unit


def letter_unit(text: str, expected: str) -> str:
    """The unit of bare letters (`5 m^2`), where it is of the expected one's dimension; else ""."""
    unit = _canonical(text, True)
    return unit if unit and conversion(expected, unit) is not None and "unit" not in expected else ""


def conversion(wanted: str, given: str) -> Fraction | None:
    """What a number of `given` has to be multiplied with to be one of `wanted`; None for another dimension."""
    if wanted == given:
        return Fraction(1)
    (factor, dimension), (other, other_dimension) = _measure(wanted), _measure(given)
    if dimension == other_dimension:
        return other / factor
    return Fraction(1) if _may_be_unit(wanted, dimension, other_dimension, given) else None


def _may_be_unit(wanted: str, dimension: Counter[str], other: Counter[str], given: str) -> bool:
    """`square units` may be square inches, but no inches; `red balls` are balls."""
    if "unit" in dimension or "unit" in other:
        return _power_of_length(dimension) == _power_of_length(other)
    words, others = set(wanted.split()), set(given.split())
    is_words = not any(name in UNITS for name in words | others)
    return is_words and (words <= others or others <= words)


def _power_of_length(dimension: Counter[str]) -> int:
    ((name, power), *more) = dimension.items() or [("", 1)]
    return power if not more and name in {"unit", "meter"} else 1


@lru_cache(maxsize=1024)
def _measure(unit: str) -> tuple[Fraction, Counter[str]]:
    """(factor, dimension) of a canonical unit; a word that is no unit is a dimension of its own."""
    factor, dimension = Fraction(1), Counter[str]()
    for part in unit.split(" "):
        name, _, raised = part.partition("^")
        power = int(raised or 1)
        size, base = UNITS.get(name, (Fraction(1), ((name, 1),)))
        factor *= size**power
        for each, exponent in base:
            dimension[each] += exponent * power
    return factor, Counter({name: power for name, power in dimension.items() if power})


def _symbol_unit(match: re.Match[str], text: str) -> str | None:
    """In `\\sin 30^\\circ` the degree belongs to the argument, not to the value."""
    symbol = match.group()
    if symbol.startswith("^\\circ") and _FUNCTIONS.search(text):
        return None
    scale = (match[1] or match[2] or "").lower()
    return {"c": "celsius", "f": "fahrenheit"}.get(scale) or _NAMED.get(symbol) or unit_named(symbol)


def _bare_unit(match: re.Match[str], is_ground_truth: bool, is_number: bool) -> str | None:
    """Without `\\text{}` words have to be known, or to end in a noun; single letters count only behind a slash.

    In an answer to a number, letters are no factors: there any symbol of a unit counts. A ground truth of a number and
    letters may be a product.
    """
    is_generous = is_number and not is_ground_truth
    blank, unit = match[1], match[2]
    first, *others = unit.split("/")
    words = [found[2] for found in _FACTOR.finditer(first)]
    if is_generous and others and len(words) == 1 and unit_named(words[0]):
        return _canonical(unit)
    if not all(_is_known(word, is_generous) for word in words) and not (blank and _are_nouns(words)):
        return None
    return None if any(len(word) == 1 for word in words) else _canonical(unit)


def _is_known(word: str, is_generous: bool) -> bool:
    folded = word.lower()
    if folded in _BARE_SYMBOLS or word in _UPRIGHT_SYMBOLS or folded in _POWERS or folded == "per":
        return True
    if folded in WORDS or folded.removesuffix("s") in WORDS:
        return len(word) > 2
    return is_generous and unit_named(word) is not None


def _are_nouns(words: list[str]) -> bool:
    """`red balls`; but `pqrs` is a product."""
    last = words[-1].lower() if words else ""
    return is_noun(last) and _VOWEL.search(last) is not None and all(len(word) > 1 for word in words)


@lru_cache(maxsize=4096)
def _canonical(text: str, is_ground_truth: bool = False) -> str | None:
    """Its factors with their powers, in one order; None for what is no unit, such as `5 squared`, which is 25.

    `square inches` and `inches^2` are `inch^2`; plural and singular are the same.
    """
    text = _IN_TOTAL.sub("", text.replace(".", " ")).strip()
    text = _COMPOUND.get(text.lower(), text).replace("per cent", "%")
    factors = _factors(text)
    if not factors or len(factors) > _MAX_WORDS:
        return None
    powers: Counter[str] = Counter()
    others: list[str] = []
    for word, power in factors:
        name = unit_named(_COMPOUND.get(word.lower(), word), is_ground_truth)
        if name is not None:
            powers[name] += power
        elif power != 1:
            powers[stem(word.lower())] += power
        else:
            others.append(word.lower())
    if not _are_fitting(others, powers, is_ground_truth):
        return None
    if "celsius" in powers or "fahrenheit" in powers:
        del powers["degree"]
    if not powers:
        powers.update(stem(word) for word in others)
    return " ".join(name if power == 1 else f"{name}^{power}" for name, power in sorted(powers.items()) if power)


def _are_fitting(others: list[str], powers: Counter[str], is_ground_truth: bool) -> bool:
    """May these words stand beside these units, or name what is counted when there are none?"""
    if any(map(says_more, (name for name in powers if name not in UNITS))):
        return False
    if is_ground_truth:
        return names_things(others) or not any(len(word) == 1 or says_more(word) for word in others)
    if not powers:
        return names_things(others)
    return all(word in _BESIDE or (is_noun(word) and not says_more(word)) for word in others)


def _factors(text: str) -> list[tuple[str, int]] | None:
    """(word, power) of each factor of a unit; None where there is more than words."""
    factors: list[tuple[str, int]] = []
    at, raised, below = 0, 1, 1
    for match in _FACTOR.finditer(text):
        name, power = match[2], int(match[3] or 1)
        below = -1 if match[1] in {"/", "per"} else below
        if text[at : match.start()].strip() or not power:
            return None
        at = match.end()
        if name in _BEFORE:
            raised = _POWERS[name]
        elif name not in _POWERS:
            factors.append((name, power * raised * below))
            raised = below = 1
        elif factors:
            factors[-1] = (factors[-1][0], factors[-1][1] * _POWERS[name])
        else:
            return None
    return None if text[at:].strip() else factors
