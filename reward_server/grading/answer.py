"""Where the answer stands in a completion: the last balanced `\\boxed{…}` or `\\fbox{…}`.

Runs in the server process on whole completions, so: one forward scan, linear in the text, no regular expression that
can backtrack. Nothing but a box counts: falling back to other formulas would pay a junk box behind the right one.

An unclosed box is no box, so an earlier balanced one counts, exactly as if the text had been cut before the unclosed
one: a truncated completion and one that never began its last box get the same reward, and there is nothing to win by
leaving a box open, since one completion has one verdict either way.
Not covered: `\\boxed 42` without braces; an opening brace that a comment (`%`) or `\\verb` would hide from LaTeX.
"""

from __future__ import annotations

import re

from msgspec import Struct

from reward_server.grading.box_row import MAX_BOXES, Span, row_of

_BOX = re.compile(r"\\(?:boxed|fbox)")
_TOKEN = re.compile(r"\\\\?(?:boxed|fbox)(?=\s*\{)|\\[{}\\]|[{}]")
"""Box commands (also with the backslash doubled by some JSON layer), escaped braces, line breaks, braces."""

_MAX_KEPT = 1000
"""Of a million boxes the last few tell whether a row is too long; each kept one would take a hundred bytes."""
_ESCAPED_LENGTH = 2  # `\{`, `\}`, `\\`; a box command is longer


class Answer(Struct, frozen=True, gc=False):
    """The content of a box. `start`, `end`: its span in the completion, `text == completion[start:end]`.

    `row`: the contents of several boxes that stand side by side at the end, this one the last (see `box_row`).
    """

    text: str
    start: int
    end: int
    row: str | None = None


def last_box(text: str) -> Answer | None:
    """The content of the last balanced box that stands in no other one; None without one. It may be empty.

    A box around nothing but a box is unwrapped: `\\boxed{\\boxed{42}}` is 42. Around more it is not, so that
    `\\boxed{41 \\text{ or } \\boxed{42}}` names two values.
    """
    first = _BOX.search(text)
    if first is None:
        return None
    span: tuple[int, int] | None = None  # the content to return ...
    outer = (-1, -1)  # ... and where its box, with the boxes around it that hold nothing else, begins and ends
    command = -1  # where the box command just before this token begins
    opened: list[tuple[int, int]] = []  # (begin of the box command or -1, begin of the content)
    boxes: list[Span] = []  # those that stand in no other one
    for token in _TOKEN.finditer(text, first.start(), text.rfind("}") + 1):
        kind, at = token.group(), token.start()
        if kind == "{":
            opened.append((command, at + 1))
        elif kind == "}" and opened:
            begin, content = opened.pop()
            if begin >= 0:
                if not _holds_only(text, content, at, outer):
                    span = (content, at)
                outer = (begin, at + 1)
                _keep(boxes, (begin, content, at, at + 1))
        command = at if len(kind) > _ESCAPED_LENGTH else -1
    return Answer(text[span[0] : span[1]], *span, row_of(text, boxes)) if span else None


def _keep(boxes: list[Span], box: Span) -> None:
    """Adds a box, in place of those that stand in it."""
    while boxes and boxes[-1][0] > box[0]:
        boxes.pop()
    boxes.append(box)
    if len(boxes) > _MAX_KEPT:
        del boxes[: -MAX_BOXES - 1]


def _holds_only(text: str, start: int, end: int, inner: tuple[int, int]) -> bool:
    """Is `text[start:end]` the span `inner` and white space?"""
    if inner[0] < start:
        return False
    return not text[start : inner[0]].strip() and not text[inner[1] : end].strip()
