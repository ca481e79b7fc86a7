"""Ground truths that are choices: one letter (`C`, `(C)`), a letter with its content (`C: \\sqrt{6}`), several letters.

A rule returns True or False when it decides, None when the ground truth is not of its kind. Input: normalised texts.
Not covered: the content of `C: \\sqrt{6}` without its letter, which is incorrect.
"""

from __future__ import annotations

import re

from reward_server.grading.text.flat_text import flat

_LETTER = re.compile(r"\(?([A-J])\)?[.:]?")
_OPERATOR = r"\\(?:cup|cap|setminus|cdot|to|in|subset|lor|land)(?![A-Za-z])|[-+*/=<>^_(]"
_WITH_CONTENT = re.compile(rf"([A-J])[.:] (?!=)|([A-J])\) ?(?!{_OPERATOR})|\(([A-J])\) (?!{_OPERATOR})")
_LETTERS = re.compile(r"[A-J](?:(?:, ?| )?[A-J])+")
_CHOICE = re.compile(r"(?:option|choice|answer) ?:? ?", re.IGNORECASE)
_MARKED = re.compile(r"(?:\(([A-Ja-j])\)|([A-J])(?:[).:](?=\s|$)|\)))\s*")
_ALONE = re.compile(r"\(? ?([A-Ja-j]) ?\)?[.:]?")
_OTHER_CHOICE = re.compile(r"(?<![A-Za-z\\])[A-J](?![A-Za-z])")
_NO_CONTENT = re.compile(
    r"[\^_'!/+]|\\(?:ne|cap|cup|lor|land|cdot)(?![A-Za-z])|(?:is|are|was|not|or|and)(?![A-Za-z]| \w+ \w)"
)
"""What follows a letter that is worked on, or doubted: `(C)^2`, `(C) is wrong`; but `(C) not enough information`."""


def choice_matches(ground_truth: str, answer: str) -> bool | None:
    """`A`, `(A)`, `A)`, `A.`, `A: text`, `Option A`, `a`; several letters in any order. Another letter is wrong."""
    wanted = flat(ground_truth)
    if not wanted or not (wanted[0] == "(" or "A" <= wanted[0] <= "J"):
        return None
    if letter := _LETTER.fullmatch(wanted):
        return _chosen(flat(answer)) == letter[1]
    if (letters := _several(wanted)) and "".join(letters) == wanted:  # in order: `CAB` is an angle, or a word
        return _several(flat(answer)) == letters
    if letters and "," in wanted and flat(answer) == "".join(letters):  # else `A, C, D` is a list as others are
        return True
    if letter := _WITH_CONTENT.match(wanted):
        return _chosen_with_content(wanted, letter, flat(answer))
    return None


def _chosen(answer: str) -> str | None:
    """The one choice letter of the answer. Behind the letter of `A: text` no other letter may stand alone."""
    answer = _CHOICE.sub("", answer, count=1) if _CHOICE.match(answer) else answer
    if alone := _ALONE.fullmatch(answer):
        return alone[1].upper()
    marked = _MARKED.match(answer)
    if marked is None or _OTHER_CHOICE.search(answer, marked.end()) or _NO_CONTENT.match(answer, marked.end()):
        return None
    return (marked[1] or marked[2]).upper()


def _chosen_with_content(wanted: str, letter: re.Match[str], answer: str) -> bool:
    """The letter alone, or with the same content."""
    chosen = letter[1] or letter[2] or letter[3]
    given = _WITH_CONTENT.match(answer)
    if given is None or _ALONE.fullmatch(answer):
        return _chosen(answer) == chosen
    return (given[1] or given[2] or given[3]) == chosen and _ink(answer[given.end() :]) == _ink(wanted[letter.end() :])


def _several(text: str) -> list[str] | None:
    """The letters of `ABD`, `B, D, A`, `A and B`: two or more different ones, which a word or a product seldom is."""
    if not _LETTERS.fullmatch(text):
        return None
    letters = [character for character in text if character.isalpha()]
    return sorted(letters) if len(set(letters)) == len(letters) else None


def _ink(text: str) -> str:
    return "".join(text.split())
