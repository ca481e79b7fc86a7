"""Chats to token ids, in the reward model's own template, split where the prompt ends.

    messages ─▶ template ─▶ prompt text, prompt ids     (once a prompt, kept)
    messages + answer ─▶ template ─▶ whole text ─▶ ids of what follows the prompt, or of all     (once a sample)

No generation prompt, and no special tokens but those the template writes: a template that begins with BOS would get a
second one. The split is at the prompt's last token, if the whole text's ids begin with the prompt's; otherwise (a
template that changes the prompt when an answer follows, a token across the border) the sample is not split.
A whole text is tokenised once a prompt, to see that its ids are the prompt's and those of the rest; `text_ids` says
where they must be.

Blocks for a millisecond or so a sample: call it in threads, where the tokenizers library releases the interpreter.
"""

from __future__ import annotations

import json
import threading
from array import array
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from reward_server.kit.kept import Kept
from reward_server.reward_model.ending import ended
from reward_server.reward_model.engine import ForgedTurn, TokenIds, TooLong, UnfitModel, UnusableChat
from reward_server.reward_model.length_bound import LengthBound
from reward_server.reward_model.messages import plain_messages, well_formed
from reward_server.reward_model.special_tokens import SpecialTokens
from reward_server.reward_model.text_ids import TextIds
from reward_server.types import EndsAt

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

WhenTooLong = Literal["null", "left", "right"]
"""What becomes of a text beyond the model's length. `null`: no score. `left`: its head is cut off, but for BOS.
`right`: the end of the answer is cut off, but not what the template writes after it, where the score is read."""

TODAY = datetime(2024, 7, 26)
"""What templates get that ask for today (`strftime_now`), with which a score would change overnight: the date that
Llama 3.2's template itself writes where there is no clock."""

_CODES = (*"aAbBcdDeFHIjmMpSTuUwWxXyYzZ", "-d", "-m", "-j", "-H", "-I", "-M", "-S")
_CLOCK = "".join(f" | replace('%{code}', '{TODAY.strftime('%' + code)}')" for code in _CODES)
_FIXED_CLOCK = "{% macro strftime_now(format) %}{{ format" + _CLOCK + " }}{% endmacro %}\n"
"""Before a template, it hides transformers' function of that name, which reads the clock. A macro, since what is passed
to a template may be data only. Its newline is dropped, as after every tag, and the template still begins a line."""

_KEPT_CHARS = 2**25
"""Characters of the prompts whose ids are kept: of 2,000 each, 16,000."""

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


@dataclass(slots=True)
class _Prompt:
    """A prompt alone. `joins`: may its ids stand before those of what follows? `is_proven`: was it seen?"""

    text: str = ""
    ids: TokenIds[int] = field(default_factory=lambda: array("i"))
    joins: bool = True
    is_proven: bool = False


class ChatTokenizer:
    """Thread-safe. Raises UnfitModel where the text has to end with an end-of-turn token and there is none.

    `max_tokens`: longest text of the model. `vocabulary`: ids from it on are unknown to the model. `ends_at`: where the
    model was trained to be read. `dropped`: a token that texts end with and the model does not read. `can_split`:
    False for a model that reads every text whole.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        *,
        max_tokens: int,
        vocabulary: int | None = None,
        ends_at: EndsAt = "template",
        dropped: int | None = None,
        can_split: bool = True,
    ) -> None:
        if ends_at == "eos" and (tokenizer.eos_token is None or tokenizer.eos_token_id is None):
            raise UnfitModel("the reward model is read at its end-of-turn token, but its tokenizer has no eos_token")
        self._tokenizer = tokenizer
        self._ends_at = ends_at
        self._dropped = dropped
        self._can_split = can_split
        self._special = SpecialTokens(tokenizer)
        self._max_tokens = max_tokens
        self._ids = TextIds(tokenizer, vocabulary)
        self._prompts: Kept[str, _Prompt] = Kept(_KEPT_CHARS, weigh=len)
        self._lock = threading.Lock()  # of the kept prompts
        self._name = lru_cache(maxsize=4096)(self._decode)
        self._bound = LengthBound(tokenizer)

    def encode(self, messages: Sequence[Mapping[str, object]], answer: str, too_long: WhenTooLong = "null") -> Encoded:
        """Raises UnusableChat when template or tokenizer refuse the messages, TooLong as `too_long` says, ForgedTurn
        where a special token stands in the answer."""
        answer = well_formed(answer)
        token = self._special.found_in(answer)
        if token is not None:
            raise ForgedTurn(f"the answer contains {token!r}, a special token of the reward model")
        chat = plain_messages(messages)
        key = json.dumps(chat)
        before = self._known(key)
        if before is None:
            self._refuse_special(chat)
        text = self._render_answered(chat, answer)
        if self._bound.is_exceeded(text, self._max_tokens):
            return self._cut_unread(chat, text, too_long)
        if before is None:
            before = self._read_prompt(key, chat)
        whole = self._ended_ids(self._whole(before, text))
        if not whole:
            raise UnusableChat("the chat template renders the messages to nothing")
        if len(whole) > self._max_tokens:
            return self._truncated(text, self._cut(chat, whole, too_long))
        read_at = self._name(whole[-1])
        prompt = before.ids
        if len(prompt) < len(whole) and whole[: len(prompt)] == prompt:
            return Encoded(text, prompt, whole[len(prompt) :], read_at=read_at)
        return Encoded(text, array("i"), whole, read_at=read_at)

    def _known(self, key: str) -> _Prompt | None:
        with self._lock:
            return self._prompts.get(key)

    def _refuse_special(self, chat: list[dict[str, str]]) -> None:
        for message in chat:
            token = self._special.found_in(message["content"])
            if token is not None:
                raise UnusableChat(f"a message contains {token!r}, a special token of the reward model")

    def _read_prompt(self, key: str, chat: list[dict[str, str]]) -> _Prompt:
        """Of a prompt alone, which is kept; empty where it is not split off, or the template cannot render it alone."""
        prompt = _Prompt()
        if chat and self._can_split:
            with suppress(UnusableChat):
                text = self._render(chat)
                prompt = _Prompt(text, self._ids.of(text))
        with self._lock:
            self._prompts.put(key, prompt)
        return prompt

    def _whole(self, prompt: _Prompt, text: str) -> TokenIds[int]:
        """The ids of a text."""
        rest = text[len(prompt.text) :]
        may_join = prompt.joins and prompt.ids and text.startswith(prompt.text)
        if not may_join or not self._ids.stands_alone(rest):
            return self._ids.of(text)
        joined = prompt.ids + self._ids.of(rest)
        if prompt.is_proven:
            return joined
        whole = self._ids.of(text)
        prompt.joins, prompt.is_proven = whole == joined, True
        return whole

    def _render_answered(self, chat: list[dict[str, str]], answer: str) -> str:
        """The whole text, as it ends where the score is read."""
        text = self._render([*chat, {"role": "assistant", "content": answer}])
        return ended(text, str(self._tokenizer.eos_token)) if text and self._ends_at == "eos" else text

    def _ended_ids(self, ids: TokenIds[int]) -> TokenIds[int]:
        """The ids of a text up to where it is read; with `eos` the last one is that token's, whatever stands there."""
        if ids and self._ends_at == "eos":
            ids[-1] = self._tokenizer.eos_token_id  # as OpenRLHF does
        while ids and ids[-1] == self._dropped:
            ids.pop()
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

    def _truncated(self, text: str, ids: TokenIds[int]) -> Encoded:
        return Encoded(text, array("i"), ids, truncated=True, read_at=self._name(ids[-1]))

    def _cut_unread(self, chat: list[dict[str, str]], text: str, too_long: WhenTooLong) -> Encoded:
        """As `_cut`, of a text that is too long for certain: only what may be kept of it is tokenised."""
        if too_long == "null":
            raise TooLong(f"{len(text)} characters are more than the {self._max_tokens} tokens that the model takes")
        if too_long == "left":
            part = self._bound.part(text, self._max_tokens, "end")
            ids = self._ids.of(text[:_HEAD])[:1] + self._ended_ids(self._ids.of(part))
        else:
            part = self._bound.part(text, self._max_tokens, "beginning")
            ids = self._ids.of(part)
        return self._truncated(part, self._cut(chat, ids, too_long))

    def _cut(self, chat: list[dict[str, str]], ids: TokenIds[int], too_long: WhenTooLong) -> TokenIds[int]:
        """The `max_tokens` ids that are left."""
        if too_long == "left":
            bos = 1 if ids[0] == self._tokenizer.bos_token_id else 0
            return ids[:bos] + ids[bos + len(ids) - self._max_tokens :]
        if too_long == "right":
            before, _, after = self._render_answered(chat, _MARK).rpartition(_MARK)
            closing = self._ended_ids(self._ids.of(after))
            kept = self._max_tokens - len(closing)
            if not self._bound.is_exceeded(before, kept) and kept > len(
                self._ids.of(before)
            ):  # else nothing of the answer would be left
                return ids[:kept] + closing
        raise TooLong(f"{len(ids)} tokens or more, and the model takes {self._max_tokens}")
