"""Words that are values: `two`, `one half`, `seventh`, `14^{\\text{th}}`, `no solution`, `infinitely many`, `yes`.

Whole answers only. Not covered: numbers in words beyond 999,999, and within longer texts (`two apples`).
"""

from __future__ import annotations

import re

_BELOW_TWENTY = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TENS = {
    word: 10 * place
    for place, word in enumerate(
        ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"), start=2
    )
}
_CARDINALS = {word: place for place, word in enumerate(_BELOW_TWENTY.split())} | _TENS
_ORDINAL_WORDS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth "
    "sixteenth seventeenth eighteenth nineteenth twentieth"
)
_ORDINALS = {word: place for place, word in enumerate(_ORDINAL_WORDS.split(), start=1)}
_PARTS = {"half": 2, "halves": 2, "third": 3, "thirds": 3, "quarter": 4, "quarters": 4} | {
    word + ending: place for word, place in _ORDINALS.items() if place > 3 for ending in ("", "s")
}
_ORDINAL_NUMBER = re.compile(r"([0-9]+) ?\^? ?\{? ?(?:\\text ?\{ ?)?(st|nd|rd|th) ?\}? ?\}?")
_HUNDRED_AND = re.compile(r"(?<=[a-z] )(hundred|thousand), (?=[a-z])")
"""`one hundred and twenty`: "and" is a comma already."""
_LETTERS = re.compile(r"[A-Za-z]+(?:[ -][A-Za-z]+){0,7}")

_NOTHING = (
    "no solution|no solutions|no real solution|no real solutions|no such solution|there is no solution"
    "|there are no solutions|no solution exists|no solutions exist|the empty set|empty set|none"
)
_VALUES = {
    **dict.fromkeys(_NOTHING.split("|"), "\\emptyset"),
    **dict.fromkeys(("infinitely many", "infinity", "infinite", "infinitely many solutions"), "\\infty"),
    **dict.fromkeys(("dne", "does not exist", "undefined", "not defined", "is undefined"), "undefined"),
    **dict.fromkeys(("yes", "true"), "true"),
    **dict.fromkeys(("no", "false"), "false"),
}
_AFFIRMED = re.compile(r"(yes|no|true|false)[,.;:!] ?([a-z']+(?: [a-z']+)+)[.!]?", re.IGNORECASE)
_HEDGE_WORDS = "unless except excluding but maybe perhaps possibly probably if only when sometimes though or"
_HEDGES = frozenset(_HEDGE_WORDS.split())
_OTHER = {
    "true": frozenset({"no", "not", "false", "never", "cannot", "isn't", "doesn't", "don't", "incorrect", "wrong"}),
    "false": frozenset({"yes", "true", "always", "correct", "right"}),
}


def as_value(text: str) -> str:
    """The value that the words say, as LaTeX; any other text as it is.

    >>> [as_value(text) for text in ("twenty-one", "one half", "3^{rd}", "No, it does not", "Evelyn", "no")]
    ['21', '\\\\frac{1}{2}', '3', 'false', 'Evelyn', 'false']
    """
    if not text or not (text[0].isalpha() or text[-1] in "thd}"):
        return text
    text = _HUNDRED_AND.sub(r"\1 ", text) if "d, " in text else text
    if (match := _ORDINAL_NUMBER.fullmatch(text)) and match[2] == _suffix(int(match[1])):
        return match[1]
    if _LETTERS.fullmatch(text.removesuffix(".")):
        words = text.removesuffix(".").casefold()
        return _VALUES.get(words) or _number(words.replace("-", " ").split()) or text
    return _affirmed(text)


def _suffix(number: int) -> str:
    teens = range(11, 14)
    return "th" if number % 100 in teens else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")


def _affirmed(text: str) -> str:
    """`Yes, it is`: the first word, where the others say nothing else."""
    match = _AFFIRMED.fullmatch(text)
    if match is None:
        return text
    value = _VALUES[match[1].casefold()]
    return text if (_OTHER[value] | _HEDGES) & set(match[2].casefold().split()) else value


def _number(words: list[str]) -> str | None:
    if words == ["half"]:
        return "\\frac{1}{2}"
    if (number := _cardinal(words)) is not None:
        return str(number)
    *head, last = words
    if last in _PARTS and head and (top := _cardinal(["one"] if head == ["a"] else head)):
        return f"\\frac{{{top}}}{{{_PARTS[last]}}}"
    if last in _ORDINALS and (not head or (len(head) == 1 and head[0] in _TENS)):
        return str(_ORDINALS[last] + (_CARDINALS[head[0]] if head else 0))
    return None


def _cardinal(words: list[str]) -> int | None:
    """`one hundred twenty three thousand four`; None for what is no number in words."""
    if "thousand" in words:
        place = words.index("thousand")
        thousands, rest = _below_thousand(words[:place]), _below_thousand(words[place + 1 :] or ["zero"])
        return None if not thousands or rest is None else 1000 * thousands + rest
    return _below_thousand(words)


def _below_thousand(words: list[str]) -> int | None:
    if len(words) > 1 and words[1] == "hundred":
        rest = _below_hundred(words[2:] or ["zero"])
        hundreds = _CARDINALS.get(words[0])
        is_number = hundreds is not None and 0 < hundreds < 10 and rest is not None
        return 100 * hundreds + rest if is_number and hundreds and rest is not None else None
    return _below_hundred(words)


def _below_hundred(words: list[str]) -> int | None:
    if len(words) == 1:
        return _CARDINALS.get(words[0])
    if len(words) == 2 and words[0] in _TENS:
        unit = _CARDINALS.get(words[1])
        return _CARDINALS[words[0]] + unit if unit and unit < 10 else None
    return None
