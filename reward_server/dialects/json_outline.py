"""How much structure JSON text has, counted before anything is built of it.

A list of one number is 4 bytes of text and 80 of memory: what a body becomes depends on its structure, not on its size.
Counted are the marks `,` `:` `[` `{` outside of strings: each stands for some 65 bytes at most, a text for itself.
It is linear, in pieces, without a Python object for each mark, and mostly without the interpreter's lock.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Positions = NDArray[np.intp]
CHUNK = 2**18
COMMA, COLON, QUOTE, BACKSLASH = b',:"\\'
IGNORED_BIT, OPEN, CLOSE = 0xDF, ord("["), ord("]")
"""`{` and `}` are `[` and `]` with one more bit."""
SHORT_RUN = 32


@dataclass(frozen=True)
class Outline:
    """`marks` of the text; `members`: entries of the outermost list, or fields of the outermost object."""

    marks: int
    members: int


def outline(raw: bytes | memoryview, limit: int) -> Outline:
    """The outline of one JSON value. It stops soon after `limit` marks. What is no JSON is counted up to there."""
    marks, commas, depth = 0, 0, 0
    for part in _outside_strings(np.frombuffer(raw, np.uint8)):
        folded = part & IGNORED_BIT
        is_comma, is_open = part == COMMA, folded == OPEN
        marks += sum(int(np.count_nonzero(found)) for found in (is_comma, is_open, part == COLON))
        depths = depth + np.cumsum(is_open.view(np.int8) - (folded == CLOSE).view(np.int8), dtype=np.int64)
        commas += int(np.count_nonzero(is_comma & (depths == 1)))
        depth = int(depths[-1])
        if marks > limit:
            break
    return Outline(marks, commas + 1)


def _outside_strings(text: Bytes) -> Iterator[Bytes]:
    """What is not within quotes, in pieces that are not empty."""
    is_inside = False
    for start in range(0, len(text), CHUNK):
        chunk = text[start : start + CHUNK]
        quotes = np.flatnonzero(chunk == QUOTE)
        quotes = quotes[~_is_escaped(text, quotes + start)]
        edges = np.concatenate(([-1], quotes, [len(chunk)]))
        begins, ends = edges[is_inside:-1:2] + 1, edges[is_inside + 1 :: 2]
        part = chunk[_ranges(begins, ends - begins)]
        if len(part):
            yield part
        is_inside ^= bool(len(quotes) % 2)


def _ranges(begins: Positions, lengths: Positions) -> Positions:
    """The positions from each begin on, one range after the other."""
    before = np.cumsum(lengths) - lengths
    return np.repeat(begins - before, lengths) + np.arange(lengths.sum())


def _is_escaped(text: Bytes, quotes: Positions) -> NDArray[np.bool_]:
    """True for a quote that an odd number of backslashes stands before."""
    escaped = np.zeros(len(quotes), np.bool_)
    which, at = np.arange(len(quotes)), quotes - 1
    for _ in range(SHORT_RUN):
        is_run = (at >= 0) & (text[at] == BACKSLASH)
        which, at = which[is_run], at[is_run] - 1
        if not len(which):
            return escaped
        escaped[which] ^= True
    for number, last in zip(which, at, strict=True):  # long runs, of which there cannot be many
        escaped[number] ^= bool(_run_before(text, int(last)) % 2)
    return escaped


def _run_before(text: Bytes, last: int) -> int:
    """How many backslashes end at position `last`."""
    size = 2 * SHORT_RUN
    while True:
        window = text[max(0, last + 1 - size) : last + 1].tobytes()
        run = len(window) - len(window.rstrip(b"\\"))
        if run < len(window) or len(window) == last + 1:
            return run
        size *= 2
