"""Chat templates of plain words, as base models have: `User: … Assistant: <think>` and the like.

    [instruction] User: question Assistant:        `<think>`, an empty `<think></think>` or
                                                   "Let's think step by step." may follow

On one line, on several, or mixed. The instruction becomes the system message. All that the user says stays the user's,
also what the template itself makes the user say: the paper's template (Lv et al. 2025) has `User: You must put your
answer inside <answer> </answer> tags … {question} Assistant: <think>`, which asks for tags that the model never sees.

The messages and the white space between the parts give the text back exactly. One question only: where a second
`User:` or `Assistant:` may be part of the question or another turn, the text is refused. So is every other text that
ends with what invites an answer, as it is surely no user's message as it stands.
"""

from __future__ import annotations

import re

from reward_server.types import Message

_NAMES = {
    "Assistant:": ("User:", "Human:"),
    "ASSISTANT:": ("USER:",),
    "### Assistant:": ("### User:", "### Human:"),
    "### Response:": ("### Instruction:",),
}
"""What invites the answer, and what may open the question before it."""
_INVITATION = re.compile(
    r"(?:\A|\s)(?P<name>###\s?(?:Assistant|Response|Answer|Output):|(?:Assistant|ASSISTANT|assistant):)"
    r"\s*(?:<think>)?\s*(?:</think>)?\s*(?:Let's think step by step\.?)?\s*\Z"
    r"|(?:\A|\n)(?:AI|Bot|Chatbot):\s*\Z"
    r"|\S\s*<think>\s*(?:\n</think>\s*)?\Z"
)


def invites_answer(text: str) -> bool:
    """True for a text that ends with what a plain template writes before the answer.

    >>> [invites_answer(text) for text in ("User: Hi Assistant: <think>", "Hi\\n### Response:\\n", "An assistant?")]
    [True, True, False]
    """
    return _INVITATION.search(text, _end_of_body(text)) is not None


def unwrapped(text: str) -> list[Message] | None:
    """The messages of a text that `invites_answer`; None where it does not unwrap exactly.

    >>> unwrapped("Be brief. User: What is 2+2? Assistant: <think>")
    [{'role': 'system', 'content': 'Be brief.'}, {'role': 'user', 'content': 'What is 2+2?'}]
    >>> unwrapped("User: Hi Assistant: Hello! User: What is 2+2? Assistant:") is None
    True
    """
    invitation = _INVITATION.search(text, _end_of_body(text))
    name = invitation["name"] if invitation else None
    if invitation is None or name not in _NAMES:
        return None
    before = text[: invitation.start("name")]
    body = _without_one_break(before)
    if body is None:
        return None
    places = [(opening, _opening(body, opening, name, on_lines=before.endswith("\n"))) for opening in _NAMES[name]]
    found = [(opening, at) for opening, at in places if at is not None]
    if len(found) != 1:
        return None
    ((opening, at),) = found
    instruction, question = _without_one_break(body[:at]), body[at + len(opening) :]
    if instruction is None or question[:1] not in (" ", "\n"):
        return None
    user: Message = {"role": "user", "content": question[1:]}
    return [{"role": "system", "content": instruction}, user] if instruction else [user]


def _opening(body: str, opening: str, closing: str, *, on_lines: bool) -> int | None:
    """Where the one question of the body begins, told for certain; None where there is none or may be several.

    In a template `on_lines` a question may have `User:` inside a line.
    """
    at_line, anywhere = (_places(begin + re.escape(opening), body) for begin in ("^", r"(?<!\S)"))
    if on_lines and at_line and at_line[0] == anywhere[0]:
        is_sure = len(at_line) == 1 and not _places("^" + re.escape(closing), body)
    else:
        is_sure = len(anywhere) == 1 and not _places(r"(?<!\S)" + re.escape(closing), body)
    return anywhere[0] if is_sure else None


def _places(pattern: str, text: str) -> list[int]:
    return [found.start() for found in re.finditer(pattern, text, re.MULTILINE)]


def _without_one_break(text: str) -> str | None:
    """The text without the empty line, the line break or the blank at its end; None where it ends with none."""
    if not text or text.endswith("\n\n"):
        return text[:-2]
    return text[:-1] if text[-1].isspace() else None


def _end_of_body(text: str) -> int:
    """Where to look for what invites the answer: near the end, for texts with much white space there, too."""
    return max(0, len(text.rstrip()) - 64)
