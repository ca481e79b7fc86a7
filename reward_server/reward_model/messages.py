"""The messages of a chat as templates and tokenizers can take them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reward_server.reward_model.engine import UnusableChat

ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function", "ipython", "observation"})
"""Whose messages a chat may hold. Templates write a role as it comes, so that any other text there could end the turn
and begin another."""


def plain_messages(messages: Sequence[Mapping[str, object]]) -> list[dict[str, str]]:
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
