"""What the policy was asked, as messages that another model's template can render.

A trainer sends messages, or one text. A text may already be in the policy's template; its control tokens must not end
up inside the reward model's user turn, where nothing would fail and every score would be of the wrong chat. So a text
is unwrapped exactly (rendering the messages in the same grammar gives the text back, byte for byte) or refused.

Grammars: ChatML, Llama 3 and 4, Gemma, Mistral (three spacings), DeepSeek (V3, R1), Granite 3, Phi-3, and plain words
(`plain_chat.py`: the paper's `User: … Assistant: <think>`, Vicuna, Alpaca). A generation prompt at the end, with an
opened or empty `<think>`, is dropped. Refused, as they are surely no user's words: a text with a control token, or with
anything shaped like one (`<|name|>`), and a text that ends with what invites an answer. Not covered: answers that the
prompt begins for the policy, Llama 2's `<<SYS>>`, gpt-oss, tool declarations; and what a template adds of its own (a
default system message, today's date) stays in the messages, where the reward model's template may add it again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ahocorasick_rs import BytesAhoCorasick

from reward_server.reward_model.plain_chat import invites_answer, unwrapped
from reward_server.types import Message

CONTROL_TOKENS = (
    "<|im_start|>", "<|im_end|>", "<|endoftext|>",
    "<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|eom_id|>", "<|end_of_text|>",
    "<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>",
    "<s>", "</s>", "[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "<<SYS>>", "<</SYS>>",
    "<|system|>", "<|user|>", "<|assistant|>", "<|end|>",
    "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>",
    "<|start|>", "<|message|>", "<|channel|>", "<|return|>", "<|call|>",  # gpt-oss
    "<|start_of_role|>", "<|end_of_role|>",  # Granite
    "<|header_start|>", "<|header_end|>", "<|eot|>",  # Llama 4
    "<|START_OF_TURN_TOKEN|>", "<|END_OF_TURN_TOKEN|>",  # Command R
    "<|observation|>", "[gMASK]",  # GLM
    "[|system|]", "[|user|]", "[|assistant|]", "[|endofturn|]",  # EXAONE
    "<|im_system|>", "<|im_user|>", "<|im_assistant|>", "<|im_middle|>", "<|im_sep|>",  # Kimi, Phi-4
    "<extra_id_0>", "<extra_id_1>",  # Nemotron-4
)  # fmt: skip
"""What structures a chat in the common templates; no message may contain one. The reward model's own special tokens
are looked for where it is read (`special_tokens.py`)."""

_CONTROL = BytesAhoCorasick([token.encode() for token in CONTROL_TOKENS])

_SHAPED_LIKE_CONTROL = re.compile(
    r"<\|[\w.-]{1,40}\|?>|<[\w.-]{1,40}\|>|<｜[\w▁]{1,40}｜>"
    r"|<seed:\w{1,40}>|<(?:reserved|SPECIAL|special|extra_id)_\d{1,4}>|\]~b\]|\]~!b\[|\[e~\["
)
"""Tokens of templates that are in no list here (`<|turn>`, `<|CHATBOT_TOKEN|>`; in the second line Seed-OSS, Baichuan,
Nemotron, MiniMax). A text with one is a rendered chat."""

_THINKING = ("<think>\n\n</think>\n\n", "<think>\n", "<think>", "</think>", "")
"""What templates of reasoning models write after the generation prompt."""

_ROLES = ("system", "developer", "user", "assistant", "tool")


class UnusablePrompt(ValueError):
    """The prompt cannot be turned into messages without guessing."""


@dataclass(frozen=True)
class Grammar:
    """Messages one after another, each between the two texts of its role.

    `begin`: what may come first. `prompt`: what invites the answer. `after_system`: the first of it ends a system
    message that only `begin` begins; "" where the grammar has none.
    """

    begin: str
    turns: dict[str, tuple[str, str]]
    prompt: str
    after_system: str = ""

    @property
    def invitation(self) -> str:
        """What stands directly before an answer."""
        return self.prompt or self.turns["user"][1]

    def unwrap(self, text: str) -> list[Message] | None:
        """The messages of a text that this grammar renders byte for byte; None for another text."""
        begin = self.begin if text.startswith(self.begin) else ""
        if not begin and not text.startswith(self.after_system):
            return None  # what nothing begins would be anything
        for thinking in _THINKING:
            end = self.prompt + thinking
            if end and text.endswith(end):
                break
        else:
            end = ""
        messages = self._turns(text[len(begin) : len(text) - len(end)])
        if messages is None or not is_question(messages):
            return None
        return messages if begin + self.render(messages) + end == text else None

    def render(self, messages: Sequence[Message]) -> str:
        """The messages, without what may come first and what invites the answer."""
        bare = {"system": ("", "")} if self.after_system else {}
        return "".join(str(m["content"]).join((self.turns | bare)[str(m["role"])]) for m in messages)

    def _turns(self, text: str) -> list[Message] | None:
        messages: list[Message] = []
        at = text.find(self.after_system) if self.after_system else 0
        if at > 0:
            messages.append({"role": "system", "content": text[:at]})
        while 0 <= at < len(text):
            role = next((role for role, (opening, _) in self.turns.items() if text.startswith(opening, at)), None)
            if role is None:
                return None
            opening, closing = self.turns[role]
            start = at + len(opening)
            end = text.find(closing, start)
            if end < 0:
                return None
            messages.append({"role": role, "content": text[start:end]})
            at = end + len(closing)
        return messages


def _headed(opening: str, middle: str, closing: str, **names: str) -> dict[str, tuple[str, str]]:
    """Turns that name their role between `opening` and `middle`."""
    return {role: (opening + names.get(role, role) + middle, closing) for role in _ROLES}


GRAMMARS = (
    Grammar("", _headed("<|im_start|>", "\n", "<|im_end|>\n"), "<|im_start|>assistant\n"),
    Grammar(
        "<|begin_of_text|>",
        _headed("<|start_header_id|>", "<|end_header_id|>\n\n", "<|eot_id|>", tool="ipython"),
        "<|start_header_id|>assistant<|end_header_id|>\n\n",
    ),
    Grammar(
        "<bos>",
        _headed("<start_of_turn>", "\n", "<end_of_turn>\n", assistant="model"),
        "<start_of_turn>model\n",
    ),
    Grammar(
        "<|begin_of_text|>",
        _headed("<|header_start|>", "<|header_end|>\n\n", "<|eot|>"),
        "<|header_start|>assistant<|header_end|>\n\n",
    ),
    Grammar(
        "",
        _headed("<|start_of_role|>", "<|end_of_role|>", "<|end_of_text|>\n"),
        "<|start_of_role|>assistant<|end_of_role|>",
    ),
    Grammar("", _headed("<|", "|>\n", "<|end|>\n"), "<|assistant|>\n"),
    Grammar(  # DeepSeek; the assistant comes last, as any text begins with ""
        "<｜begin▁of▁sentence｜>",
        {"user": ("<｜User｜>", "<｜Assistant｜>"), "assistant": ("", "<｜end▁of▁sentence｜>")},
        "",
        after_system="<｜User｜>",
    ),
    *(
        # Mistral: the assistant comes last, as any text begins with "". The spacing with more blanks comes first, so a
        # blank at the end of a message may be taken for a part of the spacing. SentencePiece decodes one behind `<s>`.
        Grammar(begin, {"system": system, "user": user, "assistant": (blank, "</s>")}, "")
        for begin in ("<s>", "<s> ")
        for system, user, blank in (
            (("[SYSTEM_PROMPT] ", "[/SYSTEM_PROMPT]"), ("[INST] ", " [/INST]"), " "),
            (("[SYSTEM_PROMPT] ", "[/SYSTEM_PROMPT]"), ("[INST] ", "[/INST]"), " "),
            (("[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]"), ("[INST]", "[/INST]"), ""),
        )
    ),
)


def chat_of(prompt: str | Sequence[Message]) -> list[Message]:
    """The messages of a prompt. Raises UnusablePrompt for what cannot be turned into messages without guessing.

    `prompt`: messages, or a text in a known template, or else any text, which becomes one user message. A single
    user message that is a text in a plain template, as in the paper's data, is that text.
    """
    if not isinstance(prompt, str):
        messages = _checked(prompt)
        content = str(messages[-1]["content"])
        if not invites_answer(content):
            return messages
        if len(messages) > 1 or messages[0]["role"] != "user":
            raise UnusablePrompt("the last message ends with what invites an answer: was a templated text sent?")
        prompt = content
    for grammar in GRAMMARS:
        messages_of_grammar = grammar.unwrap(prompt)
        if messages_of_grammar is not None:
            return messages_of_grammar
    return _plain_chat_of(prompt)


def _plain_chat_of(text: str) -> list[Message]:
    shaped = _SHAPED_LIKE_CONTROL.search(text)
    token = control_token(text) or (shaped[0] if shaped else None)
    if token is not None:
        raise UnusablePrompt(f"the prompt contains {token!r} but is in no chat template that can be unwrapped exactly")
    if not invites_answer(text):
        return [{"role": "user", "content": text}]
    messages = unwrapped(text)
    if messages is None:
        raise UnusablePrompt(
            "the prompt ends with what invites an answer (`Assistant:`, `### Response:`, `<think>`), but cannot be"
            " unwrapped exactly: send messages, or the question alone as `prompt` of the label"
        )
    return messages


def control_token(text: str) -> str | None:
    """A control token of a chat template that the text contains; all of them are looked for in one pass."""
    found = _CONTROL.find_matches_as_indexes(text.encode("utf-8", "surrogatepass")) if _may_hold_one(text) else ()
    return next((CONTROL_TOKENS[token] for token, _, _ in found), None)


def _may_hold_one(text: str) -> bool:
    return "<" in text or "[" in text


def is_question(messages: Sequence[Message]) -> bool:
    """True for messages that an answer can follow: no control token inside, the last one not the assistant's."""
    return (
        bool(messages)
        and messages[-1]["role"] != "assistant"
        and all(control_token(str(message["content"])) is None for message in messages)
    )


def _checked(messages: Sequence[Message]) -> list[Message]:
    for message in messages:
        content = message.get("content")
        if isinstance(content, list):
            raise UnusablePrompt("a message holds an image, or another part that is no text: the model cannot see it")
        if not isinstance(message.get("role"), str) or not isinstance(content, str):
            raise UnusablePrompt("a message needs a role and a content, both text")
        token = control_token(content)
        if token is not None:
            raise UnusablePrompt(
                f"a message contains {token!r}: was a text that is already templated sent as its content?"
            )
    if not is_question(messages):
        raise UnusablePrompt("the prompt needs a message, and must not end with the assistant's")
    return list(messages)
