"""Matrices and vectors: columns, rows, transposes, `\\frac12\\begin{pmatrix}…`, `3\\mathbf{i}-\\mathbf{j}`.

A column and a row are both a vector. A factor before a matrix is multiplied into it where that is a matter of numbers.
Not covered: sums and products of matrices, determinants, `5\\mathbf{j}` alone.
"""

from __future__ import annotations

import re

from reward_server.grading.structures.structure import Read, Shape, gathered, value
from reward_server.grading.symbolic.linear import linear_form, multiplied, text_of
from reward_server.grading.text.brackets import split_top

_BEGIN = re.compile(r"\\begin\{((?:[pbB]|small)?matrix|array)\}(?:\{[clr| ]*\})?")
_TRANSPOSE = re.compile(r" ?\^ ?(?:T|t|\\top|\\intercal|\{ ?(?:T|t|\\top|\\intercal|\\text\{T\}) ?\}|\\text\{T\})")
_FENCES = {"(": ")", "[": "]"}
_NO_FACTOR = re.compile(r"[=<>,;:&]|\\(?:cup|cap|in|le|ge|ne|to|setminus|pm|mp|begin|end)(?![A-Za-z])|\+ ?$")
_UNIT = re.compile(
    r"\\(?:hat|vec|text|bar|widehat|overrightarrow) ?"
    r"(?:\{ ?(?:\\([ij])math|([ijk])) ?\}|\\([ij])math|([ijk])(?![A-Za-z]))"
)
_TERM = re.compile(r"(.*?)(?: ?\\cdot)? ?([ijk])")
_HAS_UNIT = re.compile(r"(?<![A-Za-z\\])[ijk](?![A-Za-z])")
_SUM = frozenset({"+", "-"})


def read_matrix(text: str, read: Read) -> Shape | None:
    """A matrix in its environment, with what stands before and behind it."""
    begin = _BEGIN.search(text) if "\\begin" in text else None
    if begin is None:
        return None
    end = f"\\end{{{begin[1]}}}"
    body, found, behind = text[begin.end() :].partition(end)
    before, behind = text[: begin.start()].rstrip(), behind.strip()
    if not found or "\\begin" in body:
        return None
    if before[-1:] in _FENCES and behind.startswith(_FENCES[before[-1]]):
        before, behind = before[:-1], behind[1:]
    if (behind and not _TRANSPOSE.fullmatch(behind)) or _NO_FACTOR.search(before):
        return None
    rows = [row.split("&") for row in body.split("\\\\") if row.strip()]
    if behind and len({len(row) for row in rows}) == 1:
        rows = [list(column) for column in zip(*rows, strict=True)]
    return _matrix(text, [[_scaled(before, cell.strip()) for cell in row] for row in rows], read)


def transposed(text: str, read: Read) -> Shape | None:
    """`(4,-9)^T` is a column."""
    match = _TRANSPOSE.search(text) if "^" in text else None
    if match is None or match.end() != len(text) or text[match.start() - 1] not in ")]":
        return None
    shape = read(text[: match.start()])
    return Shape("vector", text, shape.parts) if shape.kind in {"()", "[]", "sequence"} else None


def of_rows(text: str, parts: tuple[Shape, ...]) -> Shape | None:
    """`[[1,2],[3,5]]`: rows in brackets, of one length."""
    rows = {len(part.parts) for part in parts}
    if len(rows) > 1 or len(parts) < 2 or any(part.kind not in {"[]", "sequence"} for part in parts):
        return None
    return Shape("matrix", text, tuple(Shape("row", part.text, part.parts) for part in parts))


def read_components(text: str, read: Read) -> Shape | None:
    """`3\\mathbf{i}-2\\mathbf{j}` is (3, -2, 0)."""
    if "j" not in text and "k" not in text:
        return None
    plain = _UNIT.sub(lambda match: f" {match[match.lastindex or 1]}", text)
    is_marked = plain != text
    pieces, signs = split_top(plain, _SUM)
    if pieces[:1] == [""]:
        pieces = pieces[1:]
    else:
        signs = ["+", *signs]
    found: dict[str, str] = {}
    for piece, sign in zip(pieces, signs, strict=True):
        match = _TERM.fullmatch(piece)
        if match is None or match[2] in found or _HAS_UNIT.search(match[1]) or match[1].endswith(("\\", "^", "_")):
            return None
        found[match[2]] = f"{sign.removeprefix('+')}{match[1].strip() or '1'}"
    if len(found) < 2 or not (is_marked or "j" in found):
        return None
    return gathered("components", text, [found.get(unit, "0") for unit in "ijk"], read)


def _matrix(text: str, rows: list[list[str]], read: Read) -> Shape:
    if len(rows) == 1 or all(len(row) == 1 for row in rows):
        return gathered("vector", text, [cell for row in rows for cell in row], read)
    return Shape("matrix", text, tuple(gathered("row", "&".join(row), row, read) for row in rows))


def _scaled(factor: str, cell: str) -> str:
    """factor · cell, worked out where both are numbers, or one is and the other a sum."""
    factor = factor.strip().removesuffix("\\cdot").strip()
    if not factor:
        return cell
    factor = f"{factor}1" if factor in {"-", "+"} else factor
    one, other = linear_form(factor), linear_form(cell)
    product = None if one is None or other is None else multiplied(one, other)
    return f"({factor})({value(cell).text})" if product is None else text_of(product)
