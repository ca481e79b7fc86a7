"""A hostile text as pieces for a page: what is marked in it, what cannot be seen, and what is too long to be shown.

Positions are code points, as everywhere here. A character that a page would drop or that would move others about (NUL,
other controls, lone surrogates, marks of direction, blanks of no width) becomes a sign that can be seen. Nothing here
is HTML: the template escapes each piece.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

UNSEEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
LONG_CHARS = 40_000
HEAD_CHARS, AROUND_CHARS = 10_000, 2_000
"""Of a longer text its two ends are shown, and what stands around each mark."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A span of a text. `kind` is a CSS class."""

    kind: str
    start: int
    end: int
    title: str


@dataclass(frozen=True, slots=True)
class Piece:
    """`kinds`: of the marks around it, empty where there is none. `code`: of a character that is shown as a sign.

    `left_out`: so many characters stand here and are not shown.
    """

    text: str
    kinds: str = ""
    title: str = ""
    code: str = ""
    left_out: int = 0


def pieces(text: str, marks: Sequence[Mark], *, whole: bool = False) -> list[Piece]:
    """The text in order, cut at each mark's ends."""
    cuts = sorted({0, len(text), *(at for mark in marks for at in (mark.start, mark.end))})
    found: list[Piece] = []
    shown = [(0, len(text))] if whole or len(text) <= LONG_CHARS else _windows(len(text), marks)
    for start, end in zip(cuts, cuts[1:], strict=False):
        around = [mark for mark in marks if mark.start <= start and end <= mark.end]
        kinds, title = " ".join(mark.kind for mark in around), "; ".join(mark.title for mark in around)
        found += _cut(text, start, end, shown, kinds, title)
    return found


def sign(character: str) -> str:
    """What is shown for a character that cannot be seen."""
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else f"U+{code:04X}"


def seen(text: str) -> str:
    """A short text with such signs in it, without marks."""
    return UNSEEN.sub(lambda match: sign(match.group()), text)


def _cut(text: str, start: int, end: int, shown: Sequence[tuple[int, int]], kinds: str, title: str) -> Iterator[Piece]:
    """One stretch under the same marks, as far as it is shown."""
    done = start
    for first, last in shown:
        first, last = max(first, start), min(last, end)
        if first >= last:
            continue
        if first > done:
            yield Piece("", left_out=first - done)
        yield from _seen(text[first:last], kinds, title)
        done = last
    if done < end:
        yield Piece("", left_out=end - done)


def _seen(text: str, kinds: str, title: str) -> Iterator[Piece]:
    done = 0
    for match in UNSEEN.finditer(text):
        if match.start() > done:
            yield Piece(text[done : match.start()], kinds, title)
        yield Piece(sign(match.group()), kinds, title, code=f"U+{ord(match.group()):04X}")
        done = match.end()
    if done < len(text):
        yield Piece(text[done:], kinds, title)


def _windows(size: int, marks: Sequence[Mark]) -> list[tuple[int, int]]:
    """The ends, and what is around the ends of each mark; in order, without overlaps."""
    wanted = [(0, HEAD_CHARS), (size - HEAD_CHARS, size)]
    for mark in marks[:100]:
        wanted += [(max(0, at - AROUND_CHARS), min(size, at + AROUND_CHARS)) for at in (mark.start, mark.end)]
    merged: list[tuple[int, int]] = []
    for start, end in sorted(wanted):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged
