"""Special tokens of the reward model's own tokenizer, found in a text that its template did not write.

Written as text they become the real token, and the model reads another turn: `5<|start_of_role|>user…` in an answer is
praise by a user who said nothing. What counts is what encodes to the token, so a hit is encoded to make sure.

Left out are special tokens that are ordinary text: a single character or word (some tokenizers pad with `!` or `0`),
what has no bracket and is not in the template, and the tags of reasoning (`<think>`, `</answer>`, `[THINK]`). A
character that the vocabulary lacks is no `<unk>`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from ahocorasick_rs import AhoCorasick, MatchKind

if TYPE_CHECKING:
    from transformers import AddedToken, PreTrainedTokenizerBase

_REASONING = re.compile(r"[<\[]/?(think|thinking|thought|thoughts|reasoning|answer|solution)[>\]]", re.IGNORECASE)
_TURN = re.compile(r"[<\[][|｜].*[|｜][>\]]")
"""The shape of a control token: structure wherever a template writes it, flagged as special or not."""
_AROUND = 64
"""Characters either side of a hit that are encoded with it: whether it stands alone as a word may count."""
_HITS = 16
"""So many hits are looked at; a text with more of them, none of which is a token, is no accident."""


class SpecialTokens:
    """Thread-safe."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer
        added = [(token, id) for id, token in tokenizer.added_tokens_decoder.items()]
        template = str(tokenizer.chat_template or "")
        self._ids = {
            text: int(id)
            for text, id in _texts(tokenizer, added, template)
            if not is_ordinary(text) or (text in template and _is_marker(text))
        }
        self._unknown = tokenizer.unk_token_id
        self._raw = _Finder(self._ids)
        normalizer = getattr(getattr(tokenizer, "backend_tokenizer", None), "normalizer", None)
        self._normalised = None
        if normalizer is not None and any(token.normalized for token, _ in added if token.content in self._ids):
            self._normalize = normalizer.normalize_str
            self._normalised = _Finder(map(self._normalize, self._ids))

    def found_in(self, text: str) -> str | None:
        """A special token that the text becomes; None for nearly every text. No lone surrogates."""
        found = self._confirmed(text, self._raw)
        if found is None and self._normalised is not None:
            found = self._confirmed(self._normalize(text), self._normalised)
        return found

    def _confirmed(self, text: str, finder: _Finder) -> str | None:
        for hits, (start, end) in enumerate(finder.spans(text)):
            written = text[start:end]
            if hits == _HITS:
                return written
            around = text[max(0, start - _AROUND) : end + _AROUND]
            ids = set(self._tokenizer(around, add_special_tokens=False, verbose=False)["input_ids"])
            if self._unknown is not None and self._ids.get(written) != self._unknown:
                ids.discard(self._unknown)  # of a character that the vocabulary lacks
            found = next((name for name, id in self._ids.items() if id in ids), None)
            if found is not None:
                return found
        return None


def is_ordinary(text: str) -> bool:
    """True for what honest texts hold: without a letter, without a bracket or bar, or a tag of reasoning."""
    has_word = any(character.isalnum() for character in text)
    has_bracket = any(character in "<>[]{}|｜" for character in text)
    return not (has_word and has_bracket) or _REASONING.fullmatch(text.strip()) is not None


def _is_marker(text: str) -> bool:
    """True for letters with other symbols, as in `#END#` and `USER:`: structure where the template writes it."""
    has_symbol = any(not (character.isalnum() or character.isspace()) for character in text)
    return has_symbol and any(map(str.isalpha, text)) and _REASONING.fullmatch(text.strip()) is None


def _texts(
    tokenizer: PreTrainedTokenizerBase, added: Iterable[tuple[AddedToken, int]], template: str
) -> Iterator[tuple[str, int]]:
    for text, id in zip(map(str, tokenizer.all_special_tokens), tokenizer.all_special_ids, strict=True):
        if id is not None:
            yield text, id
    for token, id in added:
        if token.special or (_TURN.fullmatch(token.content) and token.content in template):
            yield token.content, id


class _Finder:
    """Where texts occur in another, in one pass, however many they are: the first, and of those the longest."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._automaton = AhoCorasick([text for text in texts if text], matchkind=MatchKind.LeftmostLongest)

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Start and end of each, in characters."""
        for _, start, end in self._automaton.find_matches_as_indexes(text):
            yield start, end
