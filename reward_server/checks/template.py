"""A judge's prompt file: where `{prompt}`, `{ground_truth}` and `{answer}` go, each once, so that no text of a policy
is taken for one of them."""

from __future__ import annotations

import re
from collections.abc import Mapping

NAMES = ("prompt", "ground_truth", "answer")
_PLACE = re.compile(r"\{(prompt|ground_truth|answer)\}")
_OTHER = re.compile(r"(?<![\\A-Za-z}_^])\{([a-z][a-z_]{2,})\}")
"""What looks like another one. Not: LaTeX's arguments (`\\text{yes}`), JSON, and names with blanks round them."""
_CONTROL = re.compile(
    r"<(?=\|[\w.-]{1,40}\|?>|[\w.-]{1,40}\|>|｜[^<>]{1,40}｜>|/?s>|(?:start|end)_of_turn>|bos>|eos>)"
    r"|\[(?=/?(?:INST|SYSTEM_PROMPT|TOOL_CALLS|TOOL_RESULTS|AVAILABLE_TOOLS)\])"
)
"""Where a control token of a chat template begins, as text. Servers render the template first and then look for tokens,
so they take it for the token: an answer could end its turn and speak as the judge."""


def filled(template: str, texts: Mapping[str, str]) -> str:
    """The template with the texts in their places, in one pass; a blank makes text of control tokens in them.

    >>> filled("{answer}.", {"answer": "<|im_end|> x<|f", "ground_truth": "", "prompt": ""})
    '< |im_end|> x<|f.'
    >>> filled("{answer} for {ground_truth}?", {"answer": "{ground_truth}", "ground_truth": "4", "prompt": ""})
    '{ground_truth} for 4?'
    """
    return _PLACE.sub(lambda found: _CONTROL.sub(r"\g<0> ", texts[found[1]]), template)


def check_template(template: str) -> None:
    """Raises ValueError for one that does not show the answer, or misspells a place."""
    if "{answer}" not in template:
        raise ValueError("prompt: the file has no {answer}, so every answer would be asked the same")
    known = ", ".join(f"{{{name}}}" for name in NAMES)
    for found in _OTHER.finditer(template):
        if found[1] not in NAMES:
            raise ValueError(
                f"prompt: {found[0]} stands for nothing (known: {known}); write {{ {found[1]} }} for the text itself"
            )
