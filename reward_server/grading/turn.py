"""Where the policy's turn ends: what it wrote after that does not count, for any reward.

Not cut: ` User: ` inside a line, as the paper's own template, which is one line, would go on. It is too common in
prose; `rpr` subtracts 1 for it. The authors cut nothing and grade the last box of all that was written: `turn=all`.
"""

from __future__ import annotations

from typing import Literal

Turn = Literal["own", "all"]
"""What is read of a completion: the policy's own turn, or everything."""

NEXT_TURN = "\nUser: "
"""How the paper's plain-text template begins the next turn."""
TOKENS = ("<|im_end|>", "<|eot_id|>", "<|end_of_text|>", "<|endoftext|>", "</s>", "<end_of_turn>", "<|end|>")
"""The end-of-turn tokens of the common chat templates; case-sensitive."""
_BY_RARE = (("<", TOKENS), ("U", (NEXT_TURN,)))
"""By a character that they have and most texts lack: one is looked for ten times as fast as several."""

ESCAPES_EATEN = ("\boxed", "\frac", "\text", "\times")
"""What `\\boxed`, `\\frac`, `\\text`, `\\times` become when JSON is written with a single backslash."""


def own_turn(text: str) -> str:
    """The text up to the first end-of-turn token, or up to `User: ` at a line start."""
    end = len(text)
    for rare, tokens in _BY_RARE:
        if rare in text:
            for token in tokens:
                found = text.find(token, 0, end)
                end = found if found >= 0 else end
    return text[:end]


def has_eaten_escape(text: str) -> bool:
    """True where a JSON escape seems to have eaten a backslash: U+0008 before `oxed`, and so on."""
    has_control = "\b" in text or "\f" in text or "\t" in text
    return has_control and any(eaten in text for eaten in ESCAPES_EATEN)
