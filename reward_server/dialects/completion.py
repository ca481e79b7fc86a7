"""The completion in a text that holds prompt and completion, where the prompt may have changed on its way.

A trainer that decodes the ids of both at once gets back `D(prompt) + completion`, and `D(prompt)` need not be the
prompt: decoding loses and gains white space and loses symbols, one image token becomes a thousand, special tokens are
skipped or added, and what was too long was cut at the left. The completion is what follows the place where the prompt
ends. Whatever the policy wrote, also a copy of the prompt or of its ending, the answer is the completion exactly, but
for white space at its beginning, or None. The prompt is never a part of it.

    1. the prompt as it is                    begins the text
    2. without white space                    begins the text, perhaps after one more special token (BOS)
    3. its letters and digits                 begin those of the text: symbols were lost, special tokens differ
    4. an end of it, as in 2, then as in 3    begins the text, and only one end does: it was cut at the left

In 3 the n-th letter is the prompt's last, n being the prompt's count, so nothing that the policy wrote moves the
border. What the prompt has behind its last letter (`:`, `<think>`) is then looked for there: it has to be there, unless
its like was lost before; and where it may be either the prompt's or the policy's, the answer is None. White space at
the border is the prompt's as far as the prompt ends with it, else the completion's.

Not found: letters that were lost or changed, text gained that is neither white space nor a special token, fewer than
four characters left of a prompt, and what is left of a prompt where the prompt holds it twice.
Not told apart: an ending of the prompt that was lost, and the same ending written by the policy first thing.
Time is linear, below a second for 1 MB.
"""

from __future__ import annotations

import re

from reward_server.dialects.prompt_ending import (
    ANY_LETTERS,
    ASCII_LETTERS,
    SPECIAL,
    UNDECODABLE,
    Lettered,
    Unclear,
    after,
    end_behind_letters,
    is_pad,
)

_INK = re.compile(r"\S+")
_LAST_SPECIAL = re.compile(rf"({SPECIAL.pattern})\s*\Z")
_LEAST_LETTERS = 4
_LEAST_CUT = 4
_SURE_CUT = 32
"""So much of a prompt is found by 4 before 3 is tried."""
_LEAST_CUT_LETTERS = 8
_HEAD = 64
_CANDIDATES = 256
"""Places in the prompt that are compared: a bound for a prompt such as a million equal letters."""


def without_prompt(query: str, prompt: str) -> str | None:
    """The completion in `query`; None where its beginning cannot be told for certain.

    >>> without_prompt("What is 3+4?<｜Assistant｜> It is 7.", "What is 3 + 4 ?<｜Assistant｜>")
    ' It is 7.'
    >>> without_prompt("<image><image><image>\\nWhat? ASSISTANT: A cat.", "<image>\\nWhat? ASSISTANT:")
    ' A cat.'
    >>> without_prompt("is 3+4?\\nA: 7", "What is 3+4?\\nA:")
    ' 7'
    >>> without_prompt("What is 4+4?\\nA: 8", "What is 3+4?\\nA:") is None
    True
    """
    try:
        if query.startswith(prompt):
            completion = query[len(prompt) :]
        else:
            end = _end_of_prompt("".join(query.split()), "".join(prompt.split())) if query else 0
            completion = _without_shared_white_space(query[after(query, end, _INK) :], prompt)
    except Unclear:
        return None
    return None if _may_begin_with_pads(completion, prompt) else completion


def _end_of_prompt(query: str, prompt: str) -> int:
    """How many characters of the query are the prompt's; both without white space. Raises Unclear."""
    added = SPECIAL.match(query)
    for begin in (0, added.end() if added and not prompt.endswith(added[0]) else 0):
        if query.startswith(prompt, begin):
            return begin + len(prompt)
    is_cut = not query.startswith(prompt[:_HEAD])
    kept = _kept(query, prompt, _SURE_CUT) if is_cut else None
    if kept is not None:
        return kept
    pairs = [(Lettered.of(query, letters), Lettered.of(prompt, letters)) for letters in (ANY_LETTERS, ASCII_LETTERS)]
    for query_letters, prompt_letters in pairs:
        size = len(prompt_letters.letters)
        if size >= _LEAST_LETTERS and query_letters.letters.startswith(prompt_letters.letters):
            end = end_behind_letters(query_letters, prompt_letters, size)
            if end is not None:
                _refuse_cut(query, prompt, pairs if is_cut else [])
                return end
    if is_cut:
        return _end_of_cut_prompt(query, prompt, pairs)
    raise Unclear


def _refuse_cut(query: str, prompt: str, pairs: list[tuple[Lettered, Lettered]]) -> None:
    """Raises Unclear where the query may as well begin with an end of the prompt, as of one that repeats itself.

    `pairs`: their letters; none for a prompt that was not cut.
    """
    texts = [(of_query.letters, of_prompt.letters, _LEAST_CUT_LETTERS) for of_query, of_prompt in pairs]
    for text, whole, least in [(query, prompt, _LEAST_CUT), *texts] if pairs else []:
        if _kept(text, whole, least) is not None:
            raise Unclear


def _end_of_cut_prompt(query: str, prompt: str, pairs: list[tuple[Lettered, Lettered]]) -> int:
    damaged = len(query) - len(query.lstrip(UNDECODABLE))
    kept = _kept(query[damaged:], prompt, _LEAST_CUT)
    if kept is not None:
        return damaged + kept
    for query_letters, prompt_letters in pairs:
        kept = _kept(query_letters.letters, prompt_letters.letters, _LEAST_CUT_LETTERS)
        end = None if kept is None else end_behind_letters(query_letters, prompt_letters, kept)
        if end is not None:
            return end
    raise Unclear


def _kept(query: str, prompt: str, least: int) -> int | None:
    """The length of the one end of the prompt that begins the query, shorter than the prompt. Raises Unclear."""
    head = query[:_HEAD]
    if len(head) < least:
        return None
    sizes = [size for size in range(least, len(head)) if size < len(prompt) and prompt.endswith(head[:size])]
    start = prompt.find(head, max(1, len(prompt) - len(query)))
    for _ in range(_CANDIDATES):
        if start < 0 or len(sizes) > 1:
            break
        if query.startswith(prompt[start:]):
            sizes.append(len(prompt) - start)
        start = prompt.find(head, start + 1)
    if start >= 0 or len(sizes) > 1:
        raise Unclear
    if not sizes:
        return None
    if prompt.find(prompt[-sizes[0] :]) < len(prompt) - sizes[0]:  # it may have been cut there, and be damaged behind
        raise Unclear
    return sizes[0]


def _may_begin_with_pads(completion: str, prompt: str) -> bool:
    """True where the prompt ends with an image and more of it follow: they may be the prompt's."""
    last = _LAST_SPECIAL.search(prompt[-80:])
    return last is not None and is_pad(last[1]) and completion.lstrip().startswith(last[1])


def _without_shared_white_space(completion: str, prompt: str) -> str:
    blanks = prompt[len(prompt.rstrip()) :]
    shared = next((size for size in range(len(blanks), 0, -1) if completion.startswith(blanks[:size])), 0)
    return completion[shared:]
