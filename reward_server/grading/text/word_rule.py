"""Ground truths that are words: names, labels, phrases. The same letters, digits and signs, whatever the case.

Spaces, quotes, commas, full stops and a hyphen between words do not count; signs, points, colons and hyphens between
letters or digits do: `C-3` is not `C3`, nor `pH 7.4` `pH 74`, nor `¬even` `even`.
Upright mathematics is mathematics: `\\mathrm{e}-1`, `\\mathbf{a}-\\mathbf{b}`, `\\text{n-1}` hold no word. Neither is a
range with a unit (`4-6 weeks`) one. Not covered: inflection, synonyms.
"""

from __future__ import annotations

import re

from reward_server.grading.text.flat_text import flat

_WORD = re.compile(r"[^\W_][\w .:'’+#/-]*")
_RUN = re.compile(r"[^\W\d_]{2}")
_LABEL = re.compile(r"[A-Za-z][0-9][0-9.]*|[A-Z](?:\.[A-Z])+\.?")
_RANGE = re.compile(r"[0-9.]+ ?- ?[0-9.]+ ")
_ARTICLE = re.compile(r"(?:an?|the) (?=[a-z]{2})")
_UPRIGHT = ("\\text", "\\mbox", "\\math")
_SHORT = 3
_SURELY = frozenset({"yes", "no"})
"""Short ones that are no products: a member of `yes, no, unknown`."""

_ABBREVIATION = re.compile(r"\b[^\W\d_](?:\. ?[^\W\d_])+\b\.?")
_HYPHEN = re.compile(r"(?<=[a-z]{2})-(?=[a-z])|(?<=[a-z])-(?=[a-z]{2})")
_DROPPED = re.compile(r"[\"'’‘“”`]|,(?![0-9])|(?<![0-9]),|[.:](?=\s|$)|(?<!\S)[.:]|!$|[;?]$")
_SPACE = re.compile(r"(?<![0-9]) | (?![0-9])")
_BRACKETS = re.compile(r"\(([^()]*)\)")


def word_matches(raw_ground_truth: str, ground_truth: str, answer: str) -> bool | None:
    """True or False where the ground truth is a word, else None.

    Words are what the ground truth sets upright (`\\text{even}`), and bare runs of letters that no one reads as a
    product: four and more, or capitals (`BAC`). Shorter ones such as `xy` stay mathematics.
    """
    text = flat(ground_truth)
    if not _WORD.fullmatch(text) or not _is_word(text, raw_ground_truth.lstrip().startswith(_UPRIGHT)):
        return None
    return _form(text) == _form(flat(answer))


def _is_word(text: str, is_upright: bool) -> bool:
    if not is_upright:
        return _is_bare_word(text)
    return (_RUN.search(text) is not None or _LABEL.fullmatch(text) is not None) and not _RANGE.match(text)


def _is_bare_word(text: str) -> bool:
    first = text.split()[0].rstrip(".,:")
    return first.isalpha() and len(first) > 1 and (len(first) > _SHORT or not first.islower() or first in _SURELY)


def _form(text: str) -> str:
    """What is compared. Without an article before it: `an ellipse`."""
    text = text.casefold().strip()
    text = _BRACKETS.sub(r"\1", text) if _BRACKETS.fullmatch(text) else text
    text = _ARTICLE.sub("", text, count=1) if _ARTICLE.match(text) else text
    text = _ABBREVIATION.sub(lambda match: re.sub(r"[. ]", "", match.group()), text)
    text = _DROPPED.sub("", _HYPHEN.sub(" ", text))
    return _SPACE.sub("", " ".join(text.split()))
