"""Reasoning-pattern reward: does the text reason, as told by its phrases?

    rpr = clip( min(1, hits / saturation) - repetition - count("user: "), 0, 1 )

Source: Lv et al. 2025 (arXiv 2505.22653) and its code (trestad/Noisy-Rewards-in-Learning-to-Reason, 083f72b), which
lower-cases the text first and reads everything from the lower-cased text: phrases, n-grams, turns. So does this.

- hits: distinct phrases of the list that occur at least once, as substrings ("hence" is in "whence").
- repetition over the 20-grams of words, a word being what `str.split()` gives; 0 for fewer than 20 words:
  `paper`: distinct 20-grams that occur more than once / all 20-grams. Not monotone: three words ten times over cost
  0.273, a thousand times over 0.001, so a policy can loop almost for free;
  `coverage`: 1 - distinct / all, which only grows as a loop goes on.
- count("user: "): each one costs 1, so a single invented turn of the user ends at 0. The authors' code for the reward
  model has no such term, and neither has `rm` (`counts_turns` False).

Range 0 … 1, float64, unrounded. Not covered: the prompt and what follows the end of turn, which the caller cuts off;
the rule that nothing is paid without an answer; whether any of it makes sense: a bare list of phrases gets 1.

No hash decides which 20-grams are equal: they are numbered exactly, so no choice of words makes two of them collide.

A text longer than `_PIECE` is read in pieces, so that no single step holds the interpreter lock for long; 60 million
characters need at most about 10 s and 1.5 GB. Two gaps there: words are told apart by Python's keyed 64-bit hash (to
matter, two words must collide, chance below 1e-5 for 12 million distinct words, and have the same 19 neighbours); and a
word longer than `_PIECE` is lower-cased and compared in parts, so that in it Σ and İ may miss their small letters.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from itertools import count
from typing import Literal, TypeAlias

import ahocorasick_rs
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Keys: TypeAlias = NDArray[np.int64]
"""One number a word or n-gram; two numbers are equal exactly when the words or n-grams are."""

Repetition = Literal["paper", "coverage"]
Scope = Literal["all", "think"]

_GRAM = 20
_DOUBLING = (1, 2, 4, 8, 4)
"""Two k-grams this far apart make the next larger one: 1 + 1, 2 + 2, 4 + 4, 8 + 8, and 16 + 16 overlapping to 20."""
_TURN = "user: "
_THINK_END = "</think>"
_PIECE = 1 << 17
"""Characters read in one step: a step takes some milliseconds at worst."""
_TO_LAST_SPACE = re.compile(r".*\s", re.DOTALL)


@dataclass(frozen=True, slots=True)
class PhraseList:
    """Phrases to look for, lower-cased as the text is, and the automaton that finds them all in one pass."""

    name: str
    phrases: Sequence[str]
    _automaton: ahocorasick_rs.BytesAhoCorasick = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        phrases = tuple(phrase.lower() for phrase in self.phrases)
        if not all(phrases) or len(set(phrases)) < len(phrases):
            raise ValueError(f"phrase list {self.name!r}: a phrase is empty or occurs twice")
        object.__setattr__(self, "phrases", phrases)
        object.__setattr__(self, "_automaton", ahocorasick_rs.BytesAhoCorasick([_utf8(phrase) for phrase in phrases]))

    @property
    def longest(self) -> int:
        return max(map(len, self.phrases), default=0)

    def hits(self, lowered: str) -> int:
        """How many phrases occur in the lower-cased text."""
        return len(self.present(lowered))

    def present(self, lowered: str) -> set[int]:
        """Indexes of the phrases that occur in the lower-cased text."""
        matches = self._automaton.find_matches_as_indexes(_utf8(lowered), overlapping=True)
        return {phrase for phrase, _, _ in matches}

    def spans(self, text: str) -> list[tuple[str, int, int]]:
        """(phrase, start, end) of the first occurrence of each phrase in the text as it was, by start."""
        found: dict[str, tuple[int, int]] = {}
        for offset in range(0, len(text), _PIECE):
            window = text[offset : offset + _PIECE + self.longest]
            lowered = window.lower()
            for phrase in self.phrases:
                if phrase not in found and (at := lowered.find(phrase)) >= 0:
                    start, end = _unlowered(window, at, at + len(phrase))
                    found[phrase] = (offset + start, offset + end)
        return sorted(((phrase, *span) for phrase, span in found.items()), key=lambda item: item[1:])


class Rpr(Struct, frozen=True, gc=False):
    """The reward and what it was made of."""

    value: float
    hits: int
    repetition: float
    user_turns: int


def load_phrases(name: str) -> PhraseList:
    """A list of the package: `math` (40 phrases) or `open_ended` (53)."""
    lines = files("reward_server.rewards").joinpath("phrases", f"{name}.txt").read_text("utf-8").splitlines()
    return PhraseList(name, [json.loads(line) for line in lines])


def rpr(
    text: str,
    phrases: PhraseList,
    *,
    saturation: int = 20,
    repetition: Repetition = "paper",
    scope: Scope = "all",
    counts_turns: bool = True,
) -> Rpr:
    """The reward of one completion; the formula is the module's.

    scope `all` reads everything, as the source's code does; `think`, after the paper's text, what precedes the first
    `</think>`, or everything where there is none (a completion cut off while it still reasons).
    """
    end = _think_end(text) if scope == "think" else len(text)
    hits, turns, words = _read(text[:end], phrases) if end <= _PIECE else _read_in_pieces(text, end, phrases)
    repeated = _repetition(words, repetition)
    value = min(1.0, max(0.0, min(1.0, hits / saturation) - repeated - (turns if counts_turns else 0)))
    return Rpr(value=value, hits=hits, repetition=repeated, user_turns=turns)


def _read(text: str, phrases: PhraseList) -> tuple[int, int, Keys]:
    """Hits, user turns and one key a word of a text of ordinary size."""
    lowered = text.lower()
    words = lowered.split()
    ids: defaultdict[str, int] = defaultdict(count().__next__)
    keys = np.fromiter(map(ids.__getitem__, words), np.int64, len(words))
    return phrases.hits(lowered), lowered.count(_TURN), keys


def _read_in_pieces(text: str, end: int, phrases: PhraseList) -> tuple[int, int, Keys]:
    """The same for the first `end` characters of a text of any size."""
    found: set[int] = set()
    turns = 0
    keys: list[Keys] = []
    overlap = max(phrases.longest, len(_TURN))
    tail = ""
    begun: Hashable = None  # the first parts of a word too long for one piece
    for piece, is_mid_word in _pieces(text, end):
        found |= phrases.present(tail + piece)
        turns += (tail[1 - len(_TURN) :] + piece).count(_TURN)
        tail = (tail + piece)[-overlap:]
        words: list[Hashable] = list(piece.split())
        if begun is not None and piece[0].isspace():
            words.insert(0, begun)
        elif begun is not None:
            words[0] = hash((begun, words[0]))
        begun = words.pop() if is_mid_word else None
        keys.append(np.fromiter(map(hash, words), np.int64, len(words)))
    return len(found), turns, _ranked(np.concatenate(keys))


def _pieces(text: str, end: int) -> Iterator[tuple[str, bool]]:
    """Lower-cased pieces of text[:end], and whether the cut after each is inside a word.

    Cuts come after white space wherever a piece has any: there lower-casing does not look across.
    """
    start = 0
    while end - start > _PIECE:
        to_space = _TO_LAST_SPACE.match(text, start, start + _PIECE)
        cut = to_space.end() if to_space else start + _PIECE
        yield text[start:cut].lower(), to_space is None
        start = cut
    yield text[start:end].lower(), False


def _repetition(words: Keys, kind: Repetition) -> float:
    """The share of repeated 20-grams; both definitions are in the module's docstring."""
    total = len(words) - _GRAM + 1
    if total < 1 or not _may_repeat(words):
        return 0.0
    grams = np.sort(_grams(words))
    is_again = grams[1:] == grams[:-1]
    again = int(np.count_nonzero(is_again))
    if kind == "coverage":
        return 1 - (total - again) / total
    repeated = again - int(np.count_nonzero(is_again[1:] & is_again[:-1]))  # only the first repeat of each
    return repeated / total


def _may_repeat(words: Keys) -> bool:
    """Whether 20 words in a row all occur more than once: a quick no, right for most texts, spares the sorting."""
    once = np.flatnonzero(np.bincount(words)[words] == 1)
    return bool(np.diff(once, prepend=-1, append=len(words)).max() > _GRAM)


def _grams(words: Keys) -> Keys:
    """One key a 20-gram, from word keys in 0 … len(words) - 1: the digits of a number whose base is their bound."""
    grams, bound = words, len(words)
    for shift in _DOUBLING:
        if bound * bound > 2**63:  # two keys would not fit into one
            grams, bound = _ranked(grams), len(words)
        grams = grams[:-shift] * bound + grams[shift:]
        bound *= bound
    return grams


def _ranked(keys: Keys) -> Keys:
    """The same keys as 0, 1, 2 …: equal where they were equal."""
    order = np.argsort(keys)
    ordered = keys[order]
    ranks = np.zeros(len(keys), np.int64)
    ranks[1:] = ordered[1:] != ordered[:-1]
    np.cumsum(ranks, out=ranks)  # of int64: cumsum of another type would hold the interpreter lock
    ordered[order] = ranks  # reused: a text of 60 MB has 30 million keys
    return ordered


def _think_end(text: str) -> int:
    """Where the first `</think>` begins, or the text's length."""
    for start in range(0, len(text), _PIECE):
        if (at := text.find(_THINK_END, start, start + _PIECE + len(_THINK_END) - 1)) >= 0:
            return at
    return len(text)


def _unlowered(text: str, start: int, end: int) -> tuple[int, int]:
    """The span of `text` that lower-casing turns into lowered[start:end]; one `İ` becomes two characters."""
    if len(text.lower()) == len(text):
        return start, end
    origin = [index for index, char in enumerate(text) for _ in char.lower()]
    return origin[start], origin[end - 1] + 1


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")  # a lone surrogate is a character like any other
