"""Rows of formulas: `aligned`, `array`, `cases`. They are what they hold: one value, a list, or a function by cases.

A function by cases is its pairs of value and condition, in any order; "otherwise" is what the other conditions leave.
Conditions on n, k and m are on whole numbers: `n > 1` is `n \\ge 2`. Not covered: cases within cases.
"""

from __future__ import annotations

import re
from fractions import Fraction

from reward_server.grading.structures.real_sets import Pieces, Unordered, complement, pieces_of, shape_of, union
from reward_server.grading.structures.structure import INTERVALS, Read, Shape, value
from reward_server.grading.symbolic.linear import linear_form, text_of
from reward_server.grading.text.brackets import split_top
from reward_server.grading.text.normalise import compact

_ROWS = re.compile(
    r"(?P<fence>\\\{)? ?\\begin\{(?P<kind>aligned|align\*?|gathered|gather\*?|split|eqnarray\*?|[dr]?cases|array)\}"
    r"(?:\[[tbc]\])?(?:\{[lcr|@{} ]*\})?(?P<body>.*)\\end\{(?P=kind)\} ?(?:\\\})?[.,]?",
    re.DOTALL,
)
_ROW, _CELL, _COMMA = frozenset({"\\\\"}), frozenset({"&"}), frozenset({","})
_RELATIONS = ("=", "<", ">", "\\le", "\\ge", "\\ne", "\\in", "\\Rightarrow", "\\implies", "\\approx")
_IS_RELATION = re.compile(r"[=<>]|\\(?:le|ge|ne|in|mid)(?![A-Za-z])")
_IF = re.compile(r"^(?:\\text ?\{ ?(?:if|for|when|where)(?: and only if)? ?:? ?\}|(?:if|for|when|where)(?![A-Za-z]))")
_INNER_IF = re.compile(r",? ?\\text ?\{ ?,? ?(?:if|for|when) ?\} ?")
_OTHERWISE = frozenset({"otherwise", "else", "elsewhere", "inallothercases", "inothercases", "forallother", "allother"})
_WORDS = re.compile(r"\\text ?\{([^{}]*)\}")
_IS = re.compile(r"(?<![A-Za-z])(?:is|are)(?![A-Za-z])")
_FIRST_IF = re.compile(r"^ *(?:if|for|when|where) ")
_WHOLE = frozenset("nkm")


def read_rows(text: str, read: Read) -> Shape | None:
    """What an environment of rows holds; None for a matrix, or where there is no such environment."""
    match = _ROWS.fullmatch(text) if "\\begin" in text else None
    if match is None:
        return None
    rows = [split_top(row, _CELL)[0] for row in split_top(match["body"], _ROW)[0] if row.strip()]
    by_cases = match["kind"].endswith("cases") or match["fence"] is not None
    if by_cases and (pairs := _pairs(rows)) is not None:
        return _cases(text, pairs, read)
    if match["kind"] == "array" and not by_cases and not _is_list(rows):
        return None
    return _joined(rows, read)


def _is_list(rows: list[list[str]]) -> bool:
    """Is an array one column, or columns about signs of relation?"""
    return all(len(row) == 1 for row in rows) or any(cell.startswith(_RELATIONS) for row in rows for cell in row[1:])


def _joined(rows: list[list[str]], read: Read) -> Shape:
    """A row that begins with a sign of relation goes on with the row before."""
    texts: list[str] = []
    for row in rows:
        text = " ".join(row).strip().rstrip(",;.").rstrip()
        if texts and text.startswith(_RELATIONS):
            texts[-1] += f" {text}"
        elif text:
            texts.append(text)
    return read(", ".join(texts))


def _pairs(rows: list[list[str]]) -> list[tuple[str, str]] | None:
    """(value, condition) of each row; None where they are something else, such as equations."""
    pairs = [_pair(row) for row in rows]
    found = [pair for pair in pairs if pair is not None]
    return found if found and len(found) == len(pairs) else None


def _pair(row: list[str]) -> tuple[str, str] | None:
    if len(row) == 2:
        return None if row[1].startswith(_RELATIONS) else (_trimmed(row[0]), _trimmed(row[1]))
    if len(row) != 1:
        return None
    if len(halves := _INNER_IF.split(row[0])) == 2:
        return _trimmed(halves[0]), _trimmed(halves[1])
    result, *rest = split_top(_trimmed(row[0]), _COMMA)[0]
    condition = ",".join(rest)
    is_pair = bool(_IS_RELATION.search(condition)) and not _IS_RELATION.search(result)
    is_rest = bool(rest) and _words(condition) in _OTHERWISE
    return (_trimmed(result), _trimmed(condition)) if is_pair or is_rest else None


def _trimmed(text: str) -> str:
    return text.strip().strip(",;").strip()


def _cases(text: str, pairs: list[tuple[str, str]], read: Read) -> Shape:
    conditions = _without_rest([_condition(condition, read) for _, condition in pairs])
    parts = [
        Shape("case", "", (read(result), condition)) for (result, _), condition in zip(pairs, conditions, strict=True)
    ]
    return Shape("cases", text, tuple(parts))


def _condition(text: str, read: Read) -> Shape:
    text = _trimmed(_IF.sub("", text))
    words = _words(text)
    if words in _OTHERWISE:
        return Shape("text", "otherwise")
    shape = read(text)
    if "\\text" in text or (not shape.name and shape.kind in {"value", "text"}) or "\\mathbb" in shape.text:
        return shape if shape.kind == "text" else Shape("text", words)
    return _on_whole_numbers(shape) if shape.name in _WHOLE else shape


def _words(text: str) -> str:
    return compact(_IS.sub("", _FIRST_IF.sub("", _WORDS.sub(r" \1 ", text), count=1))).casefold().rstrip(".")


def _on_whole_numbers(shape: Shape) -> Shape:
    """Ends that belong to it: `n > 1` is `n \\ge 2`."""
    if shape.kind not in INTERVALS:
        return shape
    low, has_low = _whole_end(shape.parts[0], shape.kind[0] == "[", 1)
    high, has_high = _whole_end(shape.parts[1], shape.kind[1] == "]", -1)
    if has_low and has_high and compact(low.text) == compact(high.text):
        return low.named(shape.name)
    kind = ("[" if has_low else "(") + ("]" if has_high else ")")
    return Shape(kind, shape.text, (low, high), shape.name)


def _whole_end(end: Shape, belongs: bool, step: int) -> tuple[Shape, bool]:
    form = linear_form(end.text)
    if belongs or form is None or form.get("", Fraction(0)).denominator != 1:
        return end, belongs
    moved = {**form, "": form.get("", Fraction(0)) + step}
    return value(text_of({atom: factor for atom, factor in moved.items() if factor})), True


def _without_rest(conditions: list[Shape]) -> list[Shape]:
    """The one "otherwise" as what the other conditions leave, where these are sets of real numbers."""
    known = [condition for condition in conditions if condition.kind != "text"]
    names = {condition.name for condition in known}
    if len(conditions) - len(known) != 1 or len(names) != 1 or names & _WHOLE:
        return conditions
    try:
        pieces: Pieces = union([piece for condition in known for piece in pieces_of(condition)])
    except Unordered:
        return conditions
    (name,) = names
    rest = shape_of(complement(pieces), "otherwise", name)
    return [rest if condition.text == "otherwise" else condition for condition in conditions]
