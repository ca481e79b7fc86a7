r"""Prompts, in structures that the server can unwrap again when a reward model is to read the question.

`paper`: one text, an instruction and then `User: …\nAssistant: <think>`, for base models. `chat`, `chat-user`: messages
for the policy's own chat template. The instruction asks for the form that the server's rewards read: the reasoning in
<think>, the answer in <answer>, the result in \boxed. Its wording is ours, not the paper's.
"""

from __future__ import annotations

import re

from trainer_client.openrlhf_grpo.options import Template

FORM = r"state the solution inside <answer> </answer>, with the final result in \boxed{}."
PAPER_INSTRUCTION = (
    "A user puts a question to an assistant. The assistant must first work it out step by step inside <think> </think> "
    f"and then {FORM}"
)
CHAT_INSTRUCTION = f"First work the question out step by step inside <think> </think> and then {FORM}"
_TURN = re.compile(r"^(User|Assistant):", re.MULTILINE)

Messages = list[dict[str, str]]


def render(question: str, template: Template) -> str | Messages:
    """What the dataset holds for the question. Raises ValueError for one that `paper` could not be read back from."""
    if template == "paper":
        if _TURN.search(question):
            raise ValueError("a line of the question begins like a turn, `User:` or `Assistant:`; use --template chat")
        return f"{PAPER_INSTRUCTION}\nUser: {question}\nAssistant: <think>"
    if template == "chat":
        return [{"role": "system", "content": CHAT_INSTRUCTION}, {"role": "user", "content": question}]
    return [{"role": "user", "content": f"{question}\n\n{CHAT_INSTRUCTION}"}]
