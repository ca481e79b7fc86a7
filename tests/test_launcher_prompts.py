"""What the launcher writes as a prompt, the server reads back: the two packages share no code, only this structure."""

from __future__ import annotations

from typing import Any

import pytest

from reward_server.reward_model.chat import chat_of
from trainer_client.openrlhf_grpo.options import Template
from trainer_client.openrlhf_grpo.template import CHAT_INSTRUCTION, PAPER_INSTRUCTION, render


@pytest.mark.parametrize("question", ["What is {x} + \\frac{1}{2}?", "two\nlines", "« ∑ »", "\ud800"])
def test_the_server_unwraps_the_papers_template_exactly(question: str) -> None:
    text = render(question, "paper")
    assert isinstance(text, str)
    assert chat_of(text) == [
        {"role": "system", "content": PAPER_INSTRUCTION},
        {"role": "user", "content": question},
    ]


def test_the_server_unwraps_the_chat_templates() -> None:
    templates: tuple[Template, ...] = ("chat", "chat-user")
    for template in templates:
        messages: Any = render("2+2?", template)
        text = "".join(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in messages)
        assert chat_of(text + "<|im_start|>assistant\n") == messages
        assert CHAT_INSTRUCTION in text and "2+2?" in text
