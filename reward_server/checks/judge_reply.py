"""What a judge said, out of the answer of an OpenAI-compatible server: its text, without what it thought before.

Servers differ where a model thinks or is stopped. All of this is told in documents and issues of vLLM, SGLang,
llama.cpp, Ollama and hosts of models (2026-11). What is no finished reply raises CheckFailed: nobody said anything, so
nobody is paid 0.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import NamedTuple

from reward_server.checks.question import CheckFailed, shortened

FINISHED = frozenset({"stop", "eos", "eos_token", "stop_sequence", "end_turn", "end_of_turn", "end_of_text"})
"""Words for a reply that the model ended itself. None and an empty text count as well: some servers tell nothing."""
CUT_OFF = frozenset({"length", "max_tokens", "model_length"})
"""Words for one that a limit of tokens ended."""
_FINAL = "<|channel|>final<|message|>"
_CHANNEL = "<|channel|>"
"""Of gpt-oss, where its server does not part the channels."""
_NAMES = "think|thinking|thought|reasoning|reason"
_BEGIN = re.compile(rf"<(?:{_NAMES})>|\[THINK\]|◁think▷", re.IGNORECASE)
_END = re.compile(rf"</(?:{_NAMES})>|\[/THINK\]|◁/think▷", re.IGNORECASE)


class Reply(NamedTuple):
    """`text`: without thoughts, not blank. `is_cut_off`: a limit of tokens ended it."""

    text: str
    is_cut_off: bool


def reply_of(answer: object) -> Reply:
    """The reply. Raises CheckFailed for what is none, or is not finished for another reason than its length."""
    message, finished = _choice(answer)
    if finished in CUT_OFF:
        return Reply(_spoken(message, is_cut_off=True), True)
    if finished and finished not in FINISHED:
        raise CheckFailed(_why_stopped(finished))
    return Reply(_spoken(message, is_cut_off=False), False)


def without_thoughts(text: str) -> str | None:
    """What comes after the thoughts; None where they do not end.

    >>> [without_thoughts(text) for text in ("<think>NO?</think> YES", "NO?</think>YES", "<think>NO? YES", "YES")]
    [' YES', 'YES', None, 'YES']
    """
    if _CHANNEL in text:
        _, is_there, said = text.rpartition(_FINAL)
        return re.split(r"<\|(?:end|return|start)\|>", said)[0] if is_there else None
    ends = [found.end() for found in _END.finditer(text)]
    said = text[ends[-1] :] if ends else text
    return None if _BEGIN.search(said) else said


def _choice(answer: object) -> tuple[Mapping[str, object], str]:
    """The message, and why it ended."""
    if isinstance(answer, Mapping) and answer.get("error"):
        raise CheckFailed("it answers with a success status and an error", _shown(answer["error"]))
    try:
        choice = answer["choices"][0]  # type: ignore[index]  # whatever came, it is caught
        message, finished = choice["message"], choice.get("finish_reason")
    except (KeyError, IndexError, TypeError, AttributeError):
        raise CheckFailed("its answer is none of the chat completions of OpenAI", _shown(answer)) from None
    if not isinstance(message, Mapping):
        raise CheckFailed("its answer is none of the chat completions of OpenAI", _shown(answer))
    return message, str(finished or "").lower()


def _spoken(message: Mapping[str, object], *, is_cut_off: bool) -> str:
    text = _text(message.get("content"))
    if isinstance(refusal := message.get("refusal"), str) and refusal.strip():
        raise CheckFailed("it refuses", refusal)
    if text.strip():
        said = without_thoughts(text)
        if said is not None and said.strip():
            return said
        raise CheckFailed(_only_thought(is_cut_off), text.strip())
    if message.get("tool_calls") or message.get("function_call"):
        raise CheckFailed("it called a tool, and said nothing")
    if message.get("reasoning") or message.get("reasoning_content"):
        raise CheckFailed(_only_thought(is_cut_off))
    raise CheckFailed("its reply has no text" + (": it was cut off by a limit of tokens" if is_cut_off else ""))


def _text(content: object) -> str:
    """A text, or the texts of a list of parts: thoughts and refusals are parts of other kinds."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = [part.get("text") for part in parts if isinstance(part, Mapping) and part.get("type") in ("text", None)]
    return "".join(text for text in texts if isinstance(text, str))


def _only_thought(is_cut_off: bool) -> str:
    until = ", and was cut off by a limit of tokens" if is_cut_off else ""
    return f"it only thought{until}: raise max_tokens in its body, or turn its thinking off"


def _why_stopped(finished: str) -> str:
    if finished == "content_filter":
        return "its reply was stopped by a filter"
    if finished in ("tool_calls", "function_call"):
        return "it called a tool"
    return f"its reply ended for the reason {shortened(finished)!r}, and not by itself"


def _shown(answer: object) -> str:
    return json.dumps(answer)
