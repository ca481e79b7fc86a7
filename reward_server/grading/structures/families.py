"""Sets that only name a family: `\\{x \\mid x = 2k\\pi, k \\in \\mathbb{Z}\\}` and `\\{2k\\pi : k \\in \\mathbb{Z}\\}`.

They say what `x = 2k\\pi, k \\in \\mathbb{Z}` says. Not covered: conditions beside the domain of one letter.
"""

from __future__ import annotations

import re

_BAR = r"(?:\||:|\\mid(?![A-Za-z]))"
_INSIDE = r"(?:(?!\\\}|\\mid|\||:).)"
_NAMED = re.compile(rf"\\\{{ ?([A-Za-z]) ?(?:\\in ?\\mathbb\{{R\}} ?)?{_BAR} ?(\1 ?= ?{_INSIDE}+?) ?\\\}}")
_BOUND = re.compile(rf"\\\{{ ?({_INSIDE}{{2,}}?) ?{_BAR} ?([a-z] ?\\in ?\\mathbb ?\{{ ?[ZN] ?\}}) ?\\\}}")


def as_family(text: str) -> str:
    """The members and their domain, without the braces; any other text as it is.

    >>> print(as_family("\\\\{2k : k \\\\in \\\\mathbb{Z}\\\\}"))
    2k, k \\in \\mathbb{Z}
    """
    if not text.startswith("\\{"):
        return text
    if match := _NAMED.fullmatch(text):
        return match[2]
    match = _BOUND.fullmatch(text)
    return f"{match[1]}, {match[2]}" if match and "\\in" not in match[1] else text
