"""What a completion must have for noise to touch it: noise that follows a pattern, which a policy can learn.

    phrase:TEXT          the text occurs, inside words too, in any letter case: as RPR reads its phrases
    regex:RE             the expression is found somewhere; letters as written, `(?i)` for any case
    length>N             more than N characters
    answer_length>N      the answer has more than N characters; without an answer it has none

All of the policy's own turn: not of the prompt, nor of what follows the end of the turn. Characters, not tokens, which
the server does not know.

An expression is RE2's syntax, which has no backreferences and no look-around: it is searched for in time that grows
with the length of the text, however it is written. Its program is bounded, and so is the memory of the search.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Annotated, TypeAlias

from pydantic import AfterValidator

from reward_server.grading.reading import Reading

MAX_CHARS = 500
"""Of a phrase, and of an expression."""
MAX_PROGRAM = 1500
"""Instructions of an expression's program: at worst, a character costs as many times 3 ns."""
_SEARCH_MEMORY = 2**20
_CHEAP_PROGRAM = 25
"""With so many instructions a character costs what it costs other rules, at worst."""
_SHAPES = "phrase:TEXT, regex:RE, length>N or answer_length>N"
_LONGER = re.compile(r"(length|answer_length)>([0-9]{1,9})", re.ASCII)

Span: TypeAlias = tuple[int, int]
"""Characters of the own turn, from and to."""


@dataclass(frozen=True, slots=True)
class Feature:
    """`text`: in one spelling. `at`: where it holds, None where it does not. `work`: of a character, as a multiple."""

    text: str
    at: Callable[[Reading], Span | None]
    work: int = 1


def checked_feature(text: str) -> str:
    """The feature in one spelling: it is part of what `config` is made of. Raises ValueError, which says why.

    >>> checked_feature("phrase:Wait, let me CHECK"), checked_feature("length>0100")
    ('phrase:wait, let me check', 'length>100')
    """
    return feature_of(text).text


FlipIf: TypeAlias = Annotated[str, AfterValidator(checked_feature)]


@lru_cache(64)
def feature_of(text: str) -> Feature:
    """The feature that a text describes. Raises ValueError."""
    if (longer := _LONGER.fullmatch(text)) is not None:
        return _longer(longer[1], int(longer[2]))
    kind, _, argument = text.partition(":")
    if kind not in ("phrase", "regex") or not argument:
        raise ValueError(f"it is {_SHAPES}")
    if len(argument) > MAX_CHARS:
        raise ValueError(f"a {kind} has at most {MAX_CHARS} characters, and this has {len(argument)}")
    return _phrase(argument.lower()) if kind == "phrase" else _regex(argument)


def _longer(what: str, limit: int) -> Feature:
    def turn(reading: Reading) -> Span | None:
        return (0, len(reading.text)) if len(reading.text) > limit else None

    def answer(reading: Reading) -> Span | None:
        answer = reading.answer
        return (answer.start, answer.end) if answer is not None and len(answer.text) > limit else None

    return Feature(f"{what}>{limit}", turn if what == "length" else answer)


def _phrase(phrase: str) -> Feature:
    def at(reading: Reading) -> Span | None:
        lowered = reading.text.lower()
        start = lowered.find(phrase)
        if start < 0:
            return None
        if len(lowered) != len(reading.text):  # İ becomes two characters: where it stands is counted again
            starts = accumulate((len(letter.lower()) for letter in reading.text), initial=0)
            start = next(n for n, begin in enumerate(starts) if begin >= start)
        return start, start + len(phrase)

    return Feature(f"phrase:{phrase}", at)


def _regex(pattern: str) -> Feature:
    try:
        import re2
    except ImportError:
        raise ValueError("regex: needs the package google-re2, which the extra `server` brings") from None
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _SEARCH_MEMORY
    try:
        program = re2.compile(pattern.encode(), options)  # on bytes: a lone surrogate in a text must not end it
    except (re2.error, UnicodeEncodeError) as error:
        raise ValueError(
            f"regex: RE2 cannot compile it ({_reason(error)}); it has no backreferences and no look-around"
        ) from None
    if program.programsize > MAX_PROGRAM:
        raise ValueError(f"regex: its program has {program.programsize} instructions, at most {MAX_PROGRAM} are run")

    def at(reading: Reading) -> Span | None:
        text = reading.text.encode("utf-8", "replace")  # one `?` for each lone surrogate
        found = program.search(text)
        if found is None:
            return None
        start, end = found.span()
        return len(text[:start].decode()), len(text[:end].decode())

    return Feature(f"regex:{pattern}", at, max(1, program.programsize // _CHEAP_PROGRAM))


def _reason(error: Exception) -> str:
    reason = error.args[0] if error.args else error
    return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
