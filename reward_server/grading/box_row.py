"""Several boxes side by side at the end of a turn: `$\\boxed{2}$ and $\\boxed{6}$.`, which may be one list of values.

They are that list where the ground truth has as many values, more than one, and the last box alone has not; everywhere
else the last box is the answer. So a second box wins nothing: the list is right only when every box is.
Between the boxes stands nothing but a comma, a semicolon, "and", "or", `\\quad`, `$` and white space.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from reward_server.grading.structures.shape import read_shape
from reward_server.grading.text.normalise import normalise

MAX_BOXES = 20
MAX_CHARS = 1000
_BETWEEN = re.compile(
    r"(?:[\s,;$&]|\\[,;:() \[\]]|\\q?quad(?![A-Za-z])|\\text ?\{[ ,]*(?:and|or) ?\}"
    r"|(?<![A-Za-z])(?:and|or)(?![A-Za-z]))+"
)
_BEHIND = re.compile(r"(?:[\s.,;$*]|\\[)\]])*")
_MAX_BETWEEN = 60
_VALUES = frozenset({"list", "set", "sequence", "union"})

Span = tuple[int, int, int, int]
"""Of one box: where its command and its content begin, where its content and the box end."""


def row_of(text: str, boxes: Sequence[Span]) -> str | None:
    """The contents of the boxes that stand side by side at the end, as one list; None where there is only one."""
    if len(boxes) < 2 or not _is_only(_BEHIND, text, boxes[-1][3], len(text)):
        return None
    first = len(boxes) - 1
    while first > 0 and _is_only(_BETWEEN, text, boxes[first - 1][3], boxes[first][0]):
        first -= 1
    row = boxes[first:]
    length = sum(stop - start for _, start, stop, _ in row)
    if not 1 < len(row) <= MAX_BOXES or length > MAX_CHARS:
        return None
    return ", ".join(text[start:stop].strip() for _, start, stop, _ in row)


def answer_for(ground_truth: str, answer: str, row: str | None) -> str:
    """What is compared with one ground truth: the row where it has as many values, else the last box."""
    if row is None or len(ground_truth) > MAX_CHARS:
        return answer
    wanted = _count(ground_truth)
    return row if wanted > 1 and _count(row) == wanted and _count(answer) != wanted else answer


def _is_only(pattern: re.Pattern[str], text: str, start: int, stop: int) -> bool:
    return stop - start <= _MAX_BETWEEN and pattern.fullmatch(text, start, stop) is not None


def _count(text: str) -> int:
    """How many values a text names."""
    shape = read_shape(normalise(text))
    return len(shape.parts) if shape.kind in _VALUES else 1
