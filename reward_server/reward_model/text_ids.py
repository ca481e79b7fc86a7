"""Token ids of a text, exactly the tokenizer's own, at less cost.

Asked directly, the backend of a fast tokenizer leaves out the characters' offsets, which nobody reads here. And where
a text goes on with an added token, such as `<|im_start|>`, the backend cuts it there before it does anything else. So
what comes behind has the same ids whatever stands before, and need not be tokenised again with each prompt.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable
from typing import TYPE_CHECKING

from reward_server.reward_model.engine import TokenIds, UnusableChat

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import AddedToken, PreTrainedTokenizerBase

_PROBE = "The answer is 12,345.6 \\boxed{\\frac{1}{2}}\n\n日本語 naïve  e\u0301 \U0001f600\t<|im_start|>x</s>[INST]"
"""What both ways to ask must have the same ids of."""


class TextIds:
    """Thread-safe. `vocabulary`: ids from it on are unknown to the model."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, vocabulary: int | None = None) -> None:
        self._tokenizer = tokenizer
        self._vocabulary = vocabulary
        tokenizer("", add_special_tokens=False, verbose=False)  # sets the backend's padding and truncation for good
        self._backend = _plain_backend(tokenizer)
        if self._backend is not None and not self._agrees(self._backend):
            self._backend = None
        cuts = self._backend is not None and not self._backend.encode_special_tokens  # else they are ordinary text
        self._cut = _Cut(tokenizer.added_tokens_decoder.values()) if cuts else None

    def of(self, text: str) -> TokenIds[int]:
        """Shape [T]. Raises UnusableChat where the tokenizer refuses the text, or the model does not know a token."""
        try:
            found = self._by_wrapper(text) if self._backend is None else _by_backend(self._backend, text)
        except Exception as error:  # tokenizers has no other class for it
            raise UnusableChat(f"the tokenizer refuses the text: {error}") from error
        ids = array("i", found)
        if self._vocabulary is not None and ids and max(ids) >= self._vocabulary:
            raise UnusableChat(f"token {max(ids)} is beyond the {self._vocabulary} embeddings of the model")
        return ids

    def stands_alone(self, text: str) -> bool:
        """True where the text begins with a token at which the backend cuts whatever stands before, unless the end of
        that and this beginning are a token together."""
        return self._cut is not None and self._cut.begins(text)

    def _by_wrapper(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        return ids

    def _agrees(self, backend: Tokenizer) -> bool:
        try:
            return _by_backend(backend, _PROBE) == self._by_wrapper(_PROBE)
        except Exception:  # noqa: BLE001 - as above; it cannot be told, so the tokenizer itself is asked
            return False


def _by_backend(backend: Tokenizer, text: str) -> list[int]:
    ids: list[int] = backend.encode_batch_fast([text], add_special_tokens=False)[0].ids
    return ids


def _plain_backend(tokenizer: PreTrainedTokenizerBase) -> Tokenizer | None:
    """The backend of a fast tokenizer whose class does nothing else to a text; None for others."""
    from transformers import PreTrainedTokenizerFast

    for name in ("__call__", "_encode_plus"):
        if getattr(type(tokenizer), name, None) is not getattr(PreTrainedTokenizerFast, name):
            return None
    backend: Tokenizer = tokenizer.backend_tokenizer
    return backend


class _Cut:
    """Added tokens at the beginning of a text, by the longest one that matches, as the backend looks for them."""

    def __init__(self, added: Iterable[AddedToken]) -> None:
        exact = [token for token in added if token.content and not token.normalized]
        contents = [token.content for token in exact]
        self._longest = re.compile("|".join(map(re.escape, sorted(contents, key=len, reverse=True)))) if exact else None
        self._cutting = {token.content for token in exact if _is_local(token) and not _is_within(token, contents)}

    def begins(self, text: str) -> bool:
        found = self._longest.match(text) if self._longest is not None else None
        return found is not None and found[0] in self._cutting


def _is_local(token: AddedToken) -> bool:
    """True where nothing before the token changes it, or is changed by it."""
    return not token.lstrip and not token.single_word


def _is_within(token: AddedToken, others: Iterable[str]) -> bool:
    """True where another token that begins earlier may hold this one."""
    return any(token.content in other[1:] for other in others)
