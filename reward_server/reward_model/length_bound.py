"""Texts that are too long for certain, told by their characters before they are tokenised.

    tokens >= characters of the text / characters of the longest token
    tokens >= its letters and digits of ASCII / most of them in one token

The longest tokens of large vocabularies are runs of blanks and dashes, so that the second bound is the sharper one for
most texts.

To tokenise 4 MB takes seconds and hundreds of megabytes, only to find that they are too many. The bound holds where
every character ends up in a token. So it is asked of what the tokenizer says of itself: a normaliser that composes
characters (NFC) is applied before they are counted; white space does not count where added tokens swallow it; and where
characters may vanish in another way, or an unknown token may stand for a run of them, there is no bound.
"""

from __future__ import annotations

import json
import string
import unicodedata
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Side = Literal["beginning", "end"]
_LETTERS = (string.ascii_letters + string.digits).encode()
_COMPOSING: dict[str, Literal["NFC", "NFKC"]] = {"NFC": "NFC", "NFKC": "NFKC"}
_KEEPING = {"NFD", "NFKD", "Prepend", "ByteLevel"}
_SPLITTING = {"ByteLevel", "Digits", "Metaspace"}


class LengthBound:
    """What the tokenizer's own description says. `longest_token`: characters; None where nothing is certain."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        backend = getattr(tokenizer, "backend_tokenizer", None)
        described = json.loads(backend.to_str()) if backend is not None else {}
        vocabulary = tokenizer.get_vocab() if _keeps_all(described) else {}
        self.longest_token = max(map(len, vocabulary), default=0) or None
        self._most_letters = max(map(_letters, vocabulary), default=0)
        self._form = next((_COMPOSING[kind] for kind in _kinds(described, "normalizer") if kind in _COMPOSING), None)
        self._swallows_blanks = any(
            token.get("lstrip") or token.get("rstrip") for token in described.get("added_tokens") or ()
        )

    def part(self, text: str, tokens: int, side: Side) -> str:
        """So much of the beginning or the end of a text that exceeds the bound that it still has more tokens."""
        size = self._least(tokens) * 9 // 8 + 1
        while size < len(text):
            part = text[:size] if side == "beginning" else text[-size:]
            if self.is_exceeded(part, tokens):
                return part
            size *= 2
        return text

    def is_exceeded(self, text: str, tokens: int) -> bool:
        """True where the text has more than so many tokens for certain."""
        if self.longest_token is None or len(text) <= self._least(tokens):
            return False
        composed = text if self._form is None or text.isascii() else unicodedata.normalize(self._form, text)
        if self._most_letters and _letters(composed) > tokens * self._most_letters:
            return True
        if self._swallows_blanks:
            return sum(map(len, composed.split())) > tokens * self.longest_token
        return min(len(composed), len(text)) > tokens * self.longest_token  # what NFKC expands counts for nothing

    def _least(self, tokens: int) -> int:
        """Texts of so few characters never exceed the bound."""
        return tokens * min(self._most_letters or self.longest_token or 0, self.longest_token or 0)


def _letters(text: str) -> int:
    """Letters and digits of ASCII, which are the same in a byte-level vocabulary. Lone surrogates count for nothing."""
    written = text.encode("utf-8", "surrogatepass")
    return len(written) - len(written.translate(None, _LETTERS))


def _keeps_all(described: Mapping[str, Any]) -> bool:
    """True where every character of a normalised text ends up in a token of its own or with its neighbours."""
    if not described or described.get("truncation"):
        return False
    normalisers, splitters = list(_parts(described, "normalizer")), list(_parts(described, "pre_tokenizer"))
    return (
        all(map(_is_keeping, normalisers))
        and all(map(_is_splitting, splitters))
        and _knows_all(described["model"], {each["type"] for each in (*normalisers, *splitters)})
    )


def _is_keeping(normaliser: Mapping[str, Any]) -> bool:
    kind = normaliser["type"]
    if kind == "Replace":  # by as many characters at least, and no letter by another character
        pattern, content = normaliser["pattern"].get("String"), normaliser["content"]
        return pattern is not None and len(content) >= len(pattern) and _letters(content) >= _letters(pattern)
    return kind in _KEEPING or kind in _COMPOSING or kind == "Lowercase"


def _is_splitting(splitter: Mapping[str, Any]) -> bool:
    if splitter["type"] in ("Split", "Punctuation"):
        return str(splitter.get("behavior", "")).lower() != "removed"
    return splitter["type"] in _SPLITTING


def _knows_all(model: Mapping[str, Any], kinds: set[str]) -> bool:
    """True for a byte-level or byte-fallback BPE with all bytes in it: nothing is unknown."""
    vocabulary = model.get("vocab")
    if model.get("type") != "BPE" or not isinstance(vocabulary, Mapping):
        return False
    if "ByteLevel" in kinds:
        from tokenizers.pre_tokenizers import ByteLevel

        return vocabulary.keys() >= set(ByteLevel.alphabet())
    return bool(model.get("byte_fallback")) and all(f"<0x{byte:02X}>" in vocabulary for byte in range(256))


def _kinds(described: Mapping[str, Any], part: str) -> Iterator[str]:
    for each in _parts(described, part):
        yield str(each["type"])


def _parts(described: Mapping[str, Any], part: str) -> Iterator[Mapping[str, Any]]:
    """The normalisers or pre-tokenizers, those of a sequence one by one."""
    whole = described.get(part)
    if whole is None:
        return
    if whole["type"] == "Sequence":
        yield from whole.get("normalizers") or whole.get("pretokenizers") or ()
    else:
        yield whole
