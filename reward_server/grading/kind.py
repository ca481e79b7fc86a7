"""What kind of thing a ground truth is, for tables: a verifier errs on some kinds and not on others.

| kind        | is                                                                                |
|-------------|-----------------------------------------------------------------------------------|
| integer     | `12`, `-3`, `12\\text{ cm}`                                                        |
| decimal     | `0.5`, `12.50`                                                                    |
| fraction    | `\\frac{1}{2}`, `3/4`, `1\\frac{1}{2}`                                              |
| number      | any other plain number: `10^{-3}`, `25\\%`, `30^\\circ`                              |
| choice      | `B`, `(C)`, `A: text`, `ACD`                                                      |
| text        | words, and what is a JSON object or list                                          |
| interval    | intervals, unions, inequalities                                                   |
| point       | points, and open intervals with two numbers, which look the same                  |
| list        | several values: lists, sets, sequences                                            |
| equation    | `y = 2x + 1`, chains of equations, ratios                                         |
| matrix      | matrices and vectors                                                              |
| expression  | every other value: `2x + 1`, `\\sqrt{2}`                                            |
| other       | what is none of these                                                             |
| long        | over 1,000 characters: it is not read                                             |
"""

from __future__ import annotations

import re
from functools import lru_cache

from reward_server.grading.numbers.exact_number import read_ground_truth
from reward_server.grading.structures.shape import read_shape
from reward_server.grading.text.choices import choice_matches
from reward_server.grading.text.damaged import repaired
from reward_server.grading.text.normalise import normalise
from reward_server.grading.text.word_rule import word_matches

MAX_CHARS = 1000
_INTEGER = re.compile(r"[-+]? ?[0-9][0-9 ,]*(?![0-9.])")
_DECIMAL = re.compile(r"[-+]? ?[0-9, ]*\.[0-9]+")
_OF_SHAPE = {
    **dict.fromkeys(("[]", "(]", "[)", "union", "inequality"), "interval"),
    **dict.fromkeys(("list", "set", "sequence", "description", "progression", "difference"), "list"),
    **dict.fromkeys(("equation", "chain", "ratio", "range"), "equation"),
    **dict.fromkeys(("matrix", "row", "vector", "components"), "matrix"),
    "()": "point",
    "value": "expression",
    "text": "text",
}


@lru_cache(1024)
def kind_of(ground_truth: str) -> str:
    """One of the table's; never raises."""
    if len(ground_truth) > MAX_CHARS:
        return "long"
    try:
        return _kind(ground_truth)
    except Exception:  # noqa: BLE001 - the label of a table fails no request
        return "other"


def _kind(raw: str) -> str:
    if raw.lstrip()[:1] in ("{", "[") and '"' in raw:
        return "text"
    text = normalise(repaired(raw) or raw)
    if read_ground_truth(text) is not None:
        return _of_number(text)
    if choice_matches(text, text):
        return "choice"
    if word_matches(raw, text, text) is not None:
        return "text"
    if not text:
        return "other"
    shape = read_shape(text)
    kind = _OF_SHAPE.get(shape.kind, "other")
    if kind == "point" and (shape.name or any("\\infty" in part.text for part in shape.parts)):
        return "interval"  # `x > 3`, `(0, \\infty)`
    return "equation" if kind == "expression" and "=" in text else kind


def _of_number(text: str) -> str:
    if "frac" in text or re.fullmatch(r"[-+]? ?[0-9]+ ?/ ?[0-9]+", text):
        return "fraction"
    if "^" in text or "%" in text:
        return "number"
    return "decimal" if _DECIMAL.match(text) else "integer" if _INTEGER.match(text) else "number"
