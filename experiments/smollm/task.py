"""The task: add a digit to a number of two digits, with examples that first write the sum and then box it.

SmolLM2-135M adds well in words that it knows, and badly at once, in a box. Sampled, it often leaves the form of the
examples, and then boxes nothing. So there are two things to learn: the form, which has phrases, and the sum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

HELD_OUT = 96
EXAMPLES = ((14, 5, "We know that {sum}. Thus {box}"), (28, 6, "First, {sum}. Therefore {box}"))
"""Shown before each question, two phrases of the server's list `math` each. Their sums are asked of nobody."""


@dataclass(frozen=True)
class Question:
    """A number from 10 to 39 and a digit from 2 to 9."""

    number: int
    digit: int

    @property
    def prompt(self) -> str:
        """Two examples and the question, in SmolLM2's own chat format without its system message."""
        asked = "".join(_turn("user", _ask(a, b)) + _turn("assistant", worked(a, b, text)) for a, b, text in EXAMPLES)
        return f"{asked}{_turn('user', _ask(self.number, self.digit))}<|im_start|>assistant\n"

    @property
    def ground_truth(self) -> str:
        return str(self.number + self.digit)


def questions() -> tuple[list[Question], list[Question]]:
    """All 238, shuffled: 96 held out, 142 for GRPO."""
    shown = {(a, b) for a, b, _ in EXAMPLES}
    every = [Question(a, b) for a in range(10, 40) for b in range(2, 10) if (a, b) not in shown]
    shuffled = [every[n] for n in np.random.default_rng(0).permutation(len(every))]
    return shuffled[:HELD_OUT], shuffled[HELD_OUT:]


def worked(a: int, b: int, text: str) -> str:
    r"""The completion that an example shows.

    >>> worked(14, 5, EXAMPLES[0][2])
    'We know that 14+5=19. Thus \\boxed{19}'
    """
    return text.format(sum=f"{a}+{b}={a + b}", box=f"\\boxed{{{a + b}}}")


def _ask(a: int, b: int) -> str:
    return f"What is {a}+{b}?"


def _turn(role: str, text: str) -> str:
    return f"<|im_start|>{role}\n{text}<|im_end|>\n"
