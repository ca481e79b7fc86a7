"""Where a completion's answer stands, if not in a box: in tags, behind `####`, in the first of these, or everywhere.

Never a formula found elsewhere in the text. The last one that is closed counts, as for boxes: a completion that is cut
off and one that never began its last answer get the same reward. Linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

from reward_server.grading.answer import Answer, last_box

Place = Literal["box", "tags", "hash", "auto", "turn"]
"""`box`: the last balanced box. `tags`: what the last `<answer>…</answer>` holds. `hash`: what follows the last `####`
at a line's start. `auto`: box, else tags, else hash. `turn`: the policy's whole turn."""

Find = Callable[[str], Answer | None]
OPENED, CLOSED = "<answer>", "</answer>"
_HASH = re.compile(r"^####(?!#)(.*)$", re.MULTILINE)


def finder(place: Place, box: Find = last_box) -> Find:
    """The function that finds the answer in a policy's own turn. `box`: how boxes are found.

    >>> [finder(place)("so <answer> 5 </answer>\\n#### 7").text for place in ("tags", "hash", "auto")]
    ['5', '7', '5']
    """
    finders: dict[Place, Find] = {"box": box, "tags": _tagged, "hash": _hashed, "turn": _whole}
    return finders[place] if place != "auto" else lambda text: box(text) or _tagged(text) or _hashed(text)


def _tagged(text: str) -> Answer | None:
    """Without white space round it, and without a box around all of it."""
    end = text.rfind(CLOSED)
    start = text.rfind(OPENED, 0, max(end, 0))
    if start < 0:
        return None
    found = _stripped(text, start + len(OPENED), end)
    box = last_box(found.text)
    if box is not None and _is_around_all(found.text, box):
        return Answer(box.text, found.start + box.start, found.start + box.end)
    return found


def _hashed(text: str) -> Answer | None:
    at = text.rfind("####")
    while at >= 0:
        match = _HASH.match(text, at) if at == 0 or text[at - 1] == "\n" else None
        if match is not None:
            return _stripped(text, *match.span(1))
        at = text.rfind("####", 0, at + 3)  # `#####` holds it twice
    return None


def _whole(text: str) -> Answer | None:
    return _stripped(text, 0, len(text))


def _stripped(text: str, start: int, end: int) -> Answer:
    whole = text[start:end]
    kept = whole.strip()
    first = start + whole.index(kept) if kept else start
    return Answer(kept, first, first + len(kept))


def _is_around_all(text: str, box: Answer) -> bool:
    """Is `text` a box command, an opening brace, the content and the closing brace, and nothing else?"""
    return re.fullmatch(r"\\(?:boxed|fbox)\s*\{", text[: box.start]) is not None and text[box.end :] == "}"
