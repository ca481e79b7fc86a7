"""What noise is keyed by: the question, and the answer in one spelling."""

from __future__ import annotations

from collections.abc import Sequence

from reward_server.grading.reading import Check, Reading
from reward_server.grading.text.normalise import normalise
from reward_server.grading.tiers import MAX_ANSWER_CHARS
from reward_server.rewards.noise import group_of_prompt
from reward_server.types import Message, Sample


def group_of(sample: Sample) -> str:
    """The question: the sample's group, else its prompt."""
    return sample.group if sample.group is not None else group_of_prompt(sample.prompt or "")


def answer_form(reading: Reading, check: Check) -> str:
    """The answer before any rule: under `check=math` in one spelling. One too long to be graded stands as it is."""
    if reading.answer is None:
        return ""
    text = reading.answer.text
    return normalise(text) if check == "math" and len(text) <= MAX_ANSWER_CHARS else text


def lacks_key(sample: Sample) -> str | None:
    """All rows of one key share their noise: a blank one is a mistake, and would flip a whole data set at once."""
    if sample.group is not None and not sample.group.strip():
        return (
            "{name}: the group of row {row} is blank, and rows of one group share their noise;"
            " name the question, or leave the group out where there is a prompt"
        )
    if sample.group is None and not _asks_something(sample.prompt):
        return "{name} needs a group or a prompt, which its noise is keyed by: row {row} has neither"
    return None


def _asks_something(prompt: str | Sequence[Message] | None) -> bool:
    """False for no prompt, a blank one, and messages of which none has a content."""
    contents = [prompt] if isinstance(prompt, str) else [message.get("content") for message in prompt or ()]
    return any(content.strip() if isinstance(content, str) else content for content in contents)
