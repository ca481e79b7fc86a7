"""Ground truths that lost or gained characters on their way: escapes, encodings, HTML, a stray comma or brace.

Of one public data set 3 % of the ground truths lost a backslash to JSON. Graded by what is left, every right answer to
them is paid 0. What was meant is put back where there is one way to read it; what cannot be known makes a ground truth
unusable. Ground truths only: of an answer no more than doubled backslashes are mended (`backslashes.py`).
Not covered: a control character that became a blank; two errors that hide each other.
"""

from __future__ import annotations

import html
import json
import re
from functools import lru_cache
from itertools import pairwise

from reward_server.grading.text.backslashes import undoubled, with_commands, with_row_breaks

_NEVER_BLANK = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\x80-\x84\x86-\x9f\ufffd]")
_INVISIBLE = re.compile(r"[\u00ad\u200b-\u200f\u202a-\u202e\u2060\ufeff]")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_UNICODE = re.compile(r"\\u([0-9A-Fa-f]{4})")
_MOJIBAKE = frozenset("ÂÃâÎÏ")
"""What the first bytes of UTF-8 are in cp1252: `90Â°`."""
_AT_ENDS = re.compile(r"^(?:\s*(?<!\\)\\n(?![A-Za-z]))+|(?:(?<!\\)\\n\s*)+$|(?<!\\)\\\s*$")
"""A newline that is still an escape, and a last backslash that escapes nothing."""
_DEGREE = re.compile(r"(?:\^ ?)?(?:\{ ?)?(?:\^ ?)?\\text ?(?:circ(?![A-Za-z])|\{ ?circ ?\})(?: ?(?<=\})\})?")
_ENTITY = re.compile(r"&(?:#[0-9]+|#x[0-9A-Fa-f]+|[A-Za-z][A-Za-z0-9]*);")
_BREAK = re.compile(r"<(?:br ?/?|/br)>", re.IGNORECASE)
_TAGS = (
    (re.compile(r"<sup>([^<>]*)</sup>", re.IGNORECASE), r"^{\1}"),
    (re.compile(r"<sub>([^<>]*)</sub>", re.IGNORECASE), r"_{\1}"),
    (re.compile(r"<(p|b|i|u|em|strong|span|div)>([^<>]*)</\1>", re.IGNORECASE), r"\2"),
)
_TRAILING = re.compile(r"(?<=[^\s,;\\])\s*[,;]\s*$")
_PLAIN = re.compile(r"[-+0-9A-Za-z. ]*")
_DANGLING = re.compile(r"(?<!\\)\^\s*$")
_TOKEN = re.compile(r"\\(?:[A-Za-z]+|.)|[0-9.]+|\s+|.", re.DOTALL)
_CLOSED_BY = {"{": ("}",), "(": (")", "]"), "[": ("]", ")"), "\\{": ("\\}",)}
_CLOSING = frozenset({"}", ")", "]", "\\}"})
_ARGUMENT = re.compile(r"[{0-9A-Za-z\\]")
_MAX_TOKENS = 100
"""Of a text in which a place for a brace is looked for."""


@lru_cache(maxsize=1024)
def repaired(ground_truth: str) -> str | None:
    """The ground truth as it was meant: nearly always as it is; None where that cannot be known."""
    if _PLAIN.fullmatch(ground_truth):
        return ground_truth
    text = with_commands(_decoded(ground_truth))
    if _NEVER_BLANK.search(text):
        return None
    text = with_row_breaks(undoubled(_AT_ENDS.sub("", _INVISIBLE.sub("", text))))
    if "circ" in text:
        text = _DEGREE.sub(r"^\\circ ", text)
    meant = _balanced(_TRAILING.sub("", _without_html(text)))
    return None if meant is None or _DANGLING.search(meant) else meant  # also where a stray brace hid it: `x^}`


def _decoded(text: str) -> str:
    """Without quotes of JSON around it, with the characters that `\\u00b0` and `Â°` stand for."""
    if text.startswith('"') and _QUOTED.fullmatch(text):
        try:
            text = str(json.loads(text, strict=False))
        except ValueError:  # "\\sqrt2" has quotes, and is no JSON
            text = text[1:-1]
    text = _UNICODE.sub(lambda match: chr(int(match[1], 16)), text)
    return text if _MOJIBAKE.isdisjoint(text) else _as_utf8(text)


def _as_utf8(text: str) -> str:
    for encoding in ("cp1252", "latin-1"):
        try:
            return text.encode(encoding).decode("utf-8")
        except UnicodeError:
            continue
    return text


def _without_html(text: str) -> str:
    if "&" in text:
        text = _ENTITY.sub(lambda match: html.unescape(match[0]), text)
    if "<" in text:
        for pattern, new in _TAGS:
            text = pattern.sub(new, text)
        if _BREAK.search(text):
            text = ", ".join(line.strip() for line in _BREAK.split(text) if line.strip())
    return text


def _balanced(text: str) -> str | None:
    """The text with one stray or missing brace mended; None where that can be done in no way, or in several."""
    if "\\{" not in text and "\\}" not in text and text.count("{") == text.count("}"):
        return text
    tokens = _TOKEN.findall(text)
    excess = tokens.count("{") - tokens.count("}")
    if excess == 0:
        return text
    if excess == 1 and (opened := text.rfind("\\text{")) >= 0 and "}" not in text[opened:]:
        return text + "}"
    if abs(excess) > 1 or len(tokens) > _MAX_TOKENS:
        return None
    stray, escaped = ("{", "\\{") if excess == 1 else ("}", "\\}")
    if tokens.count("\\{") - tokens.count("\\}") == -excess:  # \{1,2}
        ways = [[*tokens[:at], escaped, *tokens[at + 1 :]] for at, token in enumerate(tokens) if token == stray]
    elif excess == 1:
        ways = [[*tokens[:at], "}", *tokens[at:]] for at in range(len(tokens) + 1)]
    else:
        ways = [[*tokens[:at], *tokens[at + 1 :]] for at, token in enumerate(tokens) if token == stray]
    formed = {"".join(way) for way in ways if _is_well_formed([token for token in way if not token.isspace()])}
    return min(formed) if len({"".join(way.split()) for way in formed}) == 1 else None


def _is_well_formed(tokens: list[str]) -> bool:
    """Braces that nest, hold something and cut no bracket in two; two arguments behind a fraction."""
    opened: list[str] = []
    fractions: list[int] = []  # how deep those stand whose first argument is open
    for token, after in pairwise([*tokens, ""]):
        if token in _CLOSED_BY:
            opened.append(token)
        elif token in _CLOSING and not (opened and token in _CLOSED_BY[opened.pop()]):
            return False
        is_end_of_top = token == "}" and fractions[-1:] == [len(opened)]
        if (token == "{" and after == "}") or (is_end_of_top and not _ARGUMENT.match(after)):
            return False
        if is_end_of_top:
            fractions.pop()
        elif after == "{" and token in ("\\frac", "\\dfrac", "\\tfrac"):
            fractions.append(len(opened))
    return not opened
