"""Where a prompt ends in a text of which only the prompt's letters are sure: what stands behind the last of them.

Texts here have no white space. A mark is a symbol, or what is shaped like a special token (`<|im_end|>`, `[INST]`,
`<think>`). Decoding may lose marks, repeat those of an image, and add special tokens that the prompt has not.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from dataclasses import dataclass

SPECIAL = re.compile(r"<[|｜]?/?[\w.:▁-]{1,64}/?[|｜]?>|\[/?[A-Z][A-Z_]{1,31}\]")
"""What is shaped like a special token. Ordinary text of this shape does no harm: both texts are read alike."""
ANY_LETTERS = re.compile(r"[^\W_]+")
ASCII_LETTERS = re.compile(r"[0-9A-Za-z]+")
"""For tokenizers that lose others: those are symbols then."""
UNDECODABLE = "\ufffd"
"""What is left of a character in which the prompt was cut."""
_PAD = re.compile(r"image|img|video|audio|vision|media|patch|pad|pixel|tile|row_|col_|soft_token|speech", re.IGNORECASE)
"""In the name of a special token that stands for an image or a sound, and that a processor repeats."""
_PADS = re.compile(rf"(?:(?=[^>\]]*(?:{_PAD.pattern}))(?:{SPECIAL.pattern}))*", re.IGNORECASE)
_PIECE = re.compile(rf"{SPECIAL.pattern}|.", re.DOTALL)
_MASK = " "
_UNKNOWN = "<unk>"
_REMAINS = re.compile(rf"{_UNKNOWN}|<0x[0-9A-F]{{2}}>|{UNDECODABLE}")
"""What decoding leaves of a character that it cannot write."""
_LONGEST_ENDING = 4096
_MOST_PLACES = 64
_LONGEST_NAME = 64


class Unclear(Exception):
    """The prompt's end is in none of the places, or may be in several."""


@dataclass(frozen=True)
class Lettered:
    """A text, its letters and digits, and the text with all special tokens blanked out."""

    text: str
    masked: str
    letters: str
    alphabet: re.Pattern[str]

    @classmethod
    def of(cls, text: str, alphabet: re.Pattern[str]) -> Lettered:
        masked = SPECIAL.sub(lambda found: _MASK * len(found[0]), text)
        return cls(text, masked, "".join(alphabet.findall(masked)), alphabet)

    def after(self, count: int) -> int:
        """Where the text goes on behind its first `count` letters."""
        return after(self.masked, count, self.alphabet)

    def marks(self, start: int, end: int) -> Counter[str]:
        """How often each mark occurs in a part of the text."""
        symbols = Counter(self.alphabet.sub("", self.masked[start:end]))
        del symbols[_MASK]
        return symbols + Counter(map(_kind, SPECIAL.findall(self.text[start:end])))


def end_behind_letters(query: Lettered, prompt: Lettered, kept: int) -> int | None:
    """Where the prompt ends in the query, whose first `kept` letters are the prompt's last.

    None where the query has symbols up to there that the prompt has not. Raises Unclear.
    """
    end, prompt_end = query.after(kept), prompt.after(len(prompt.letters))
    found = query.marks(0, end)
    losses = _Losses(found, prompt.marks(prompt.after(len(prompt.letters) - kept), prompt_end))
    known = prompt.marks(0, len(prompt.text))
    added = [mark for mark in found if found[mark] > losses.wanted[mark] and not is_pad(mark) and mark != UNDECODABLE]
    if any(len(mark) == 1 or known[mark] for mark in added):
        return None
    if _is_straddled(query, query.after(kept - _LONGEST_NAME), end):
        raise Unclear
    end = losses.behind(prompt.text[prompt_end:], query.text, end)
    if added and SPECIAL.match(query.text, end):  # another one that was added, or the policy's
        raise Unclear
    if query.text.startswith(UNDECODABLE, end):  # what is left of the prompt's last characters, or the policy's
        raise Unclear
    return end


class _Losses:
    """What became of the prompt's marks before its last letter: how many the query has, how many the prompt has."""

    def __init__(self, found: Counter[str], wanted: Counter[str]) -> None:
        self.found, self.wanted = found, wanted
        lost = [mark for mark in wanted if found[mark] < wanted[mark]]
        self._damaged = {_sort(mark) for mark in lost} | ({1, 2} if found[_UNKNOWN] else set())
        self._torn = {_sort(mark) for mark in lost if found[mark]}

    def behind(self, ending: str, query: str, at: int) -> int:
        """Where the query goes on from `at` behind the prompt's ending: the one place that there is. Raises Unclear.

        What is sure has to be there; the rest is there, or was lost, or became `<unk>`.
        """
        pieces = deque(_PIECE.findall(ending))
        if len(pieces) > _LONGEST_ENDING:
            raise Unclear
        self._damaged |= {_sort(piece) for piece in set(pieces) if piece not in query}
        places = {at}
        while pieces and 0 < len(places) <= _MOST_PLACES:
            piece = pieces.popleft()
            if is_pad(piece):
                places = _behind_pads(query, places, piece, pieces)
            else:
                places = self._behind_piece(query, places, piece)
        if len(places) != 1:
            raise Unclear
        return places.pop()

    def _behind_piece(self, query: str, places: set[int], piece: str) -> set[int]:
        there = {place + len(piece) for place in places if query.startswith(piece, place)}
        if self._is_kept(piece):
            return there
        if len(piece) == 1:
            there |= {place + len(_UNKNOWN) for place in places if query.startswith(_UNKNOWN, place)}
        elif any(_begins_with_name(query, place, piece) for place in places - {end - len(piece) for end in there}):
            raise Unclear
        return there | places

    def _is_kept(self, piece: str) -> bool:
        """Whether the query has what the prompt has, as far as the marks before tell.

        Marks of a sort are lost for one reason: a mark is sure when none of its sort was lost, or when all of its own
        kind are there, and those of its sort were lost by kind: all of a kind.
        """
        mark, sort = _kind(piece), _sort(piece)
        is_sure = self.found[mark] >= self.wanted[mark] > 0 and sort not in self._torn
        return is_sure or sort not in self._damaged


def _is_straddled(query: Lettered, start: int, end: int) -> bool:
    """True where what looks like a special token may be the prompt's last letters, and the policy's first.

    `…<assistant` and `_start|>assistant`: with the token left out, the policy's letters would be the prompt's last.
    """
    behind = ""
    for found in reversed(list(SPECIAL.finditer(query.text, start, end))):
        behind = "".join(query.alphabet.findall(query.masked[found.end() : end])) + behind
        end = found.start()
        if behind and "".join(query.alphabet.findall(found[0])).startswith(behind):
            return True
        if len(behind) > _LONGEST_NAME:
            return False
    return False


def is_pad(piece: str) -> bool:
    """True for a special token that stands for an image or a sound."""
    return len(piece) > 1 and _PAD.search(piece) is not None


def after(text: str, count: int, kind: re.Pattern[str]) -> int:
    """Where `text` goes on behind its first `count` characters of a kind, which a pattern finds in runs."""
    end = 0
    for run in kind.finditer(text):
        if count <= 0:
            break
        end = run.start() + min(count, len(run[0]))
        count -= len(run[0])
    return end


def _kind(piece: str) -> str:
    """A closing `[/INST]` is of one kind with its opening `[INST]`."""
    return piece.replace("/", "") if len(piece) > 1 else piece


def _sort(mark: str) -> int:
    """Special tokens, ASCII symbols, others."""
    return 0 if len(mark) > 1 else 1 if mark.isascii() else 2


def _behind_pads(query: str, places: set[int], first: str, pieces: deque[str]) -> set[int]:
    """Where the query goes on behind the pads of an ending, which are taken from `pieces`. Raises Unclear."""
    pads = [first]
    while pieces and is_pad(pieces[0]):
        pads.append(pieces.popleft())
    if first not in query:  # special tokens were skipped
        return places
    ends = set()
    for place in places:
        run = _PADS.match(query, place)
        tokens = SPECIAL.findall(run[0]) if run else []
        if tokens[:1] != [first]:
            continue
        if not pieces and (tokens[-1] != pads[-1] or tokens.count(pads[-1]) != pads.count(pads[-1])):
            raise Unclear  # how many of them the policy wrote cannot be told
        ends.add(place + len("".join(tokens)))
    return ends


def _begins_with_name(query: str, at: int, piece: str) -> bool:
    """True where only the letters of a special token are left, in whatever case."""
    name = "".join(ANY_LETTERS.findall(piece)) if len(piece) > 1 else ""
    left = _REMAINS.sub("", query[at : at + 8 * len(piece) + _LONGEST_NAME])[: len(piece)]
    return bool(name) and "".join(ANY_LETTERS.findall(left)).casefold().startswith(name.casefold())
