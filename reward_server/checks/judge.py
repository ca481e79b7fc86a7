"""A language model as a judge, at an OpenAI-compatible endpoint: one message, temperature 0. The last word counts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from reward_server.checks.http import Endpoint
from reward_server.checks.judge_reply import reply_of
from reward_server.checks.question import MAX_REASON_CHARS, CheckFailed, Finding, Question, finding_of
from reward_server.checks.spec import JudgeCheck
from reward_server.checks.template import filled
from reward_server.types import Message


async def judge_says(endpoint: Endpoint, check: JudgeCheck, question: Question, seed: bytes) -> Finding:
    """The judge's verdict. Raises CheckFailed."""
    prompt = "" if question.prompt is None else prompt_text(question.prompt)
    texts = {"prompt": prompt, "ground_truth": question.ground_truth, "answer": question.answer}
    message = {"role": "user", "content": filled(check.template, texts)}
    asked = {"model": check.model, "messages": [message], "temperature": 0, **check.body}
    reply, is_cut_off = reply_of(await endpoint.post(asked, seed))
    word = last_word(reply, tuple(check.scores))
    shown = reply.strip()[-MAX_REASON_CHARS:]
    if word is None:
        raise CheckFailed(f"its reply has none of the words {', '.join(check.scores)}", shown)
    if is_cut_off and reply.strip() != word:
        raise CheckFailed("its reply was cut off by a limit of tokens", shown)
    return finding_of(check.scores[word], shown)


def last_word(reply: str, words: tuple[str, ...]) -> str | None:
    """The last of the words that stands in the reply as a whole word, in its own letters; None where none does.

    A number is none within a fraction, a decimal number or a range.

    >>> words = ("YES", "NO", "1", "5")
    >>> [last_word(reply, words) for reply in ("NO, well: YES.", "YESTERDAY", "I give 4.5", "4/5", "5.")]
    ['YES', None, None, None, '5']
    """
    found = None
    for match in _words(words).finditer(reply):
        found = match[0]
    return found


def prompt_text(prompt: str | list[Message]) -> str:
    """A prompt as a judge reads it: the text, or the messages, each behind its role. A lone message is its text."""
    if isinstance(prompt, str):
        return prompt
    texts = [(str(message.get("role", "")), _content(message.get("content"))) for message in prompt]
    return texts[0][1] if len(texts) == 1 else "\n\n".join(f"{role}: {text}" for role, text in texts)


def _content(content: object) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "".join(str(part["text"]) for part in parts if isinstance(part, Mapping) and "text" in part)


@lru_cache(maxsize=64)
def _words(words: tuple[str, ...]) -> re.Pattern[str]:
    """The longest first: of `A` and `A+` the latter."""
    ordered = sorted(map(re.escape, words), key=len, reverse=True)
    return re.compile(rf"(?<![\w-])(?<!\d[./,])(?:{'|'.join(ordered)})(?![\w-])(?![./,]\d)")
