"""Chats to token ids, in the reward model's own template, split where the prompt ends.

    messages ─▶ template ─▶ prompt text, prompt ids     (once a prompt, kept)
    messages + answer ─▶ template ─▶ whole text, whole ids     (once a sample)

No generation prompt, and no special tokens but those the template writes: a template that begins with BOS would get a
second one. The split is at the prompt's last token, if the whole text's ids begin with the prompt's; otherwise (a
template that changes the prompt when an answer follows, a token across the border) the sample is not split.

Blocks for a millisecond or so a sample: call it in threads, where the tokenizers library releases the interpreter.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from reward_server.reward_model.ending import ended
from reward_server.reward_model.engine import ForgedTurn, TokenIds, TooLong, UnfitModel, UnusableChat
from reward_server.reward_model.length_bound import LengthBound
from reward_server.reward_model.special_tokens import SpecialTokens
from reward_server.types import EndsAt

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

WhenTooLong = Literal["null", "left", "right"]
"""What becomes of a text beyond the model's length. `null`: no score. `left`: its head is cut off, but for BOS.
`right`: the end of the answer is cut off, but not what the template writes after it, where the score is read."""

TODAY = datetime(2024, 7, 26)
"""What templates get that ask for today (`strftime_now`), with which a score would change overnight: the date that
Llama 3.2's template itself writes where there is no clock."""

ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function", "ipython", "observation"})
"""Whose messages a chat may hold. Templates write a role as it comes, so that any other text there could end the turn
and begin another."""

_CODES = (*"aAbBcdDeFHIjmMpSTuUwWxXyYzZ", "-d", "-m", "-j", "-H", "-I", "-M", "-S")
_CLOCK = "".join(f" | replace('%{code}', '{TODAY.strftime('%' + code)}')" for code in _CODES)
_FIXED_CLOCK = "{% macro strftime_now(format) %}{{ format" + _CLOCK + " }}{% endmacro %}\n"
"""Before a template, it hides transformers' function of that name, which reads the clock. A macro, since what is passed
to a template may be data only. Its newline is dropped, as after every tag, and the template still begins a line."""

_HEAD = 256
"""Characters that tell whether a text begins with BOS."""

_MARK = "\ue000answer\ue000"
"""Stands for an answer where only the template round it is wanted: private characters, in no template."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """One sample as the model reads it: `prompt` [P] (empty when the sample is not split), then `completion` [C].

    `text`: exactly what was tokenised. `truncated`: tokens were cut off to fit. `read_at`: the last token, as text.
    """

    text: str
    prompt: TokenIds[int]
    completion: TokenIds[int]
    truncated: bool = False
    read_at: str = ""

    @property
    def tokens(self) -> int:
        return len(self.prompt) + len(self.completion)


class ChatTokenizer:
    """Thread-safe. Raises UnfitModel where the text has to end with an end-of-turn token and there is none.

    `max_tokens`: longest text of the model. `vocabulary`: ids from it on are unknown to the model. `ends_at`: where the
    model was trained to be read. `can_split`: False for a model that reads every text whole.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        *,
        max_tokens: int,
        vocabulary: int | None = None,
        ends_at: EndsAt = "template",
        can_split: bool = True,
    ) -> None:
        if ends_at == "eos" and (tokenizer.eos_token is None or tokenizer.eos_token_id is None):
            raise UnfitModel("the reward model is read at its end-of-turn token, but its tokenizer has no eos_token")
        self._tokenizer = tokenizer
        self._ends_at = ends_at
        self._can_split = can_split
        self._special = SpecialTokens(tokenizer)
        self._max_tokens = max_tokens
        self._vocabulary = vocabulary
        self._prompt = lru_cache(maxsize=4096)(self._encode_prompt)
        self._name = lru_cache(maxsize=4096)(self._decode)
        self._encode("")  # the first call sets the backend's padding and truncation; later ones only read them
        self._bound = LengthBound(tokenizer)

    def encode(self, messages: Sequence[Mapping[str, object]], answer: str, too_long: WhenTooLong = "null") -> Encoded:
        """Raises UnusableChat when template or tokenizer refuse the messages, TooLong as `too_long` says, ForgedTurn
        where a special token stands in the answer."""
        answer = well_formed(answer)
        token = self._special.found_in(answer)
        if token is not None:
            raise ForgedTurn(f"the answer contains {token!r}, a special token of the reward model")
        chat = self._checked(messages)
        text = self._render_answered(chat, answer)
        if self._bound.is_exceeded(text, self._max_tokens):
            return self._cut_unread(chat, text, too_long)
        whole = self._encode_ended(text)
        if not whole:
            raise UnusableChat("the chat template renders the messages to nothing")
        if len(whole) > self._max_tokens:
            return self._truncated(text, self._cut(chat, whole, too_long))
        read_at = self._name(whole[-1])
        prompt = self._prompt(json.dumps(chat)) if chat and self._can_split else array("i")
        if len(prompt) < len(whole) and whole[: len(prompt)] == prompt:
            return Encoded(text, prompt, whole[len(prompt) :], read_at=read_at)
        return Encoded(text, array("i"), whole, read_at=read_at)

    def _checked(self, messages: Sequence[Mapping[str, object]]) -> list[dict[str, str]]:
        chat = _plain(messages)
        for message in chat:
            token = self._special.found_in(message["content"])
            if token is not None:
                raise UnusableChat(f"a message contains {token!r}, a special token of the reward model")
        return chat

    def _encode_prompt(self, chat: str) -> TokenIds[int]:
        """The ids of a prompt alone; none where the template cannot render it alone."""
        try:
            return self._encode(self._render(json.loads(chat)))
        except UnusableChat:
            return array("i")

    def _render_answered(self, chat: list[dict[str, str]], answer: str) -> str:
        """The whole text, as it ends where the score is read."""
        text = self._render([*chat, {"role": "assistant", "content": answer}])
        return ended(text, str(self._tokenizer.eos_token)) if text and self._ends_at == "eos" else text

    def _encode_ended(self, text: str) -> TokenIds[int]:
        """The ids of a text with its end; with `eos` the last one is that token's, whatever stands there."""
        ids = self._encode(text)
        if ids and self._ends_at == "eos":
            ids[-1] = self._tokenizer.eos_token_id  # as OpenRLHF does
        return ids

    def _decode(self, token: int) -> str:
        return str(self._tokenizer.decode([token]))

    def _render(self, chat: list[dict[str, str]]) -> str:
        from jinja2 import TemplateError

        try:
            template = self._tokenizer.get_chat_template()
            if "strftime_now" in template:
                template = _FIXED_CLOCK + template
            text = self._tokenizer.apply_chat_template(
                chat, chat_template=template, tokenize=False, add_generation_prompt=False
            )
        except (TemplateError, TypeError, ValueError, KeyError, AttributeError) as error:
            raise UnusableChat(f"the chat template refuses the messages: {error}") from error
        return str(text)

    def _encode(self, text: str) -> TokenIds[int]:
        ids = array("i", self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])
        if self._vocabulary is not None and ids and max(ids) >= self._vocabulary:
            raise UnusableChat(f"token {max(ids)} is beyond the {self._vocabulary} embeddings of the model")
        return ids

    def _truncated(self, text: str, ids: TokenIds[int]) -> Encoded:
        return Encoded(text, array("i"), ids, truncated=True, read_at=self._name(ids[-1]))

    def _cut_unread(self, chat: list[dict[str, str]], text: str, too_long: WhenTooLong) -> Encoded:
        """As `_cut`, of a text that is too long for certain: only what may be kept of it is tokenised."""
        if too_long == "null":
            raise TooLong(f"{len(text)} characters are more than the {self._max_tokens} tokens that the model takes")
        if too_long == "left":
            part = self._bound.part(text, self._max_tokens, "end")
            ids = self._encode(text[:_HEAD])[:1] + self._encode_ended(part)
        else:
            part = self._bound.part(text, self._max_tokens, "beginning")
            ids = self._encode(part)
        return self._truncated(part, self._cut(chat, ids, too_long))

    def _cut(self, chat: list[dict[str, str]], ids: TokenIds[int], too_long: WhenTooLong) -> TokenIds[int]:
        """The `max_tokens` ids that are left."""
        if too_long == "left":
            bos = 1 if ids[0] == self._tokenizer.bos_token_id else 0
            return ids[:bos] + ids[bos + len(ids) - self._max_tokens :]
        if too_long == "right":
            before, _, after = self._render_answered(chat, _MARK).rpartition(_MARK)
            closing = self._encode_ended(after)
            kept = self._max_tokens - len(closing)
            if not self._bound.is_exceeded(before, kept) and kept > len(
                self._encode(before)
            ):  # else nothing of the answer would be left
                return ids[:kept] + closing
        raise TooLong(f"{len(ids)} tokens or more, and the model takes {self._max_tokens}")


def _plain(messages: Sequence[Mapping[str, object]]) -> list[dict[str, str]]:
    """Role and content as text that UTF-8 can carry: a lone surrogate becomes U+FFFD."""
    chat = []
    for message in messages:
        role, content = message.get("role"), message.get("content")
        if not isinstance(role, str) or not isinstance(content, str):
            raise UnusableChat("a message needs a role and a content, both text")
        if role not in ROLES:
            raise UnusableChat(f"{role[:40]!r} is no role of a message; known: {', '.join(sorted(ROLES))}")
        chat.append({"role": role, "content": well_formed(content)})
    return chat


def well_formed(text: str) -> str:
    """The text without lone surrogates, which no tokenizer takes."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
