"""Prompt and completion out of one text, where nobody says what the prompt was.

Only a chat template says where the answer begins: the one place in the text where its invitation stands
(`<|im_start|>assistant`), behind a system message, perhaps, and one question of the user that unwrap exactly. The
answer is None where that is not certain:

- The text does not begin in one of the grammars of `chat.py`. So plain words (`User: … Assistant:`) are never read: a
  policy could write them behind a question that has no template.
- The invitation stands in the text twice. That may be an earlier turn of the prompt, or a turn that the policy made
  up, and neither may be paid for as the other.
- The answer begins with the empty thought that some templates write for the policy (Qwen3, `enable_thinking: false`):
  it may be either's.

An opened `<think>` behind the invitation counts as the completion's: no reward pays for it.
Not told apart: a prompt that was cut off before its invitation, and went on by the policy to one of its own.
"""

from __future__ import annotations

from reward_server.reward_model.chat import GRAMMARS, Grammar

_EMPTY_THOUGHTS = ("<think>\n\n</think>\n\n", "<think></think>")
"""As templates write them, directly behind the invitation."""


def parted(text: str) -> tuple[str, str] | None:
    """Prompt and completion; together they are the text. None where the border cannot be told for certain.

    >>> parted("<|im_start|>user\\n2+2?<|im_end|>\\n<|im_start|>assistant\\nIt is 4.<|im_end|>")
    ('<|im_start|>user\\n2+2?<|im_end|>\\n<|im_start|>assistant\\n', 'It is 4.<|im_end|>')
    >>> parted("User: 2+2? Assistant: It is 4.") is None
    True
    """
    ends = (_end_of_prompt(text, grammar) for grammar in GRAMMARS)
    end = next((end for end in ends if end is not None), None)
    if end is None or text.startswith(_EMPTY_THOUGHTS, end):
        return None
    return text[:end], text[end:]


def _end_of_prompt(text: str, grammar: Grammar) -> int | None:
    invitation = grammar.invitation
    start = text.find(invitation)
    if start < 0 or text.count(invitation.strip()) > 1:
        return None
    end = start + len(invitation)
    messages = grammar.unwrap(text[:end])
    roles = [message["role"] for message in messages or ()]
    return end if roles in (["user"], ["system", "user"]) else None
