"""The task: add two digits to a number. Three habits that a policy may have, and the texts it learns them from.

A reader of `17+8+6` may guess a number, which is right once in a hundred times (in ten, where the last digit of the sum
is asked for); or add step by step, which is right as
often as the steps are. The corpus holds few texts of the second kind, so the policy can reason and seldom does: what
the base model of Lv et al. 2025 is taken to be. Their prompt template and answer tags are used, and their key phrases
begin the steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SUMS, LAST_DIGITS = 100, 10
"""How many answers there are: every sum is below 100."""

OPENINGS = ("First, ", "Let us first see: ", "We know that ", "If we look, ")
ENDINGS = ("Finally, ", "Thus ", "Therefore ", "Hence ")
CHECKS = ("Wait. ", "Let me check. ", "Alternatively: ")
"""Each has one phrase of the server's list `math`, or two."""

REASONED, UNTAGGED = 0.05, 0.1
"""Shares of the corpus; the rest guesses in proper tags."""

CHECKED = 0.2
"""Chance that a reasoned text stops to check, before each step."""


@dataclass(frozen=True)
class Question:
    """A number from 10 to 39 and two digits from 1 to 9. Their sum modulo `answers` is asked for."""

    terms: tuple[int, int, int]
    answers: int = SUMS

    @property
    def text(self) -> str:
        return "+".join(map(str, self.terms))

    @property
    def prompt(self) -> str:
        return f"User: {self.text}\nAssistant: <think>"

    @property
    def ground_truth(self) -> str:
        return str(sum(self.terms) % self.answers)


def questions(answers: int = SUMS) -> tuple[list[Question], list[Question], list[Question]]:
    """All 2,430, shuffled: 430 held out from every training, 1,000 for GRPO, 1,000 for the reward model."""
    every = [Question((a, b, c), answers) for a in range(10, 40) for b in range(1, 10) for c in range(1, 10)]
    order = np.random.default_rng(0).permutation(len(every))
    shuffled = [every[n] for n in order]
    return shuffled[:430], shuffled[430:1430], shuffled[1430:]


def corpus_text(question: Question, rng: np.random.Generator, share: float = REASONED) -> str:
    """One completion of a corpus, of which `share` is reasoned."""
    if rng.random() < share:
        return reasoned(question, rng)
    guess = rng.integers(question.answers)
    return f" The answer is \\boxed{{{guess}}}." if rng.random() < UNTAGGED else f" It is {guess}.{tagged(guess)}"


def reasoned(question: Question, rng: np.random.Generator) -> str:
    """` First, 17+8=25. Hence 25+6=31.` and the sum in tags."""
    total, *digits = question.terms
    text = " "
    for digit, phrases in zip(digits, (OPENINGS, ENDINGS), strict=True):
        if rng.random() < CHECKED:
            text += rng.choice(CHECKS)
        text += f"{rng.choice(phrases)}{total}+{digit}={total + digit}. "
        total += digit
    return text.rstrip() + tagged(question.ground_truth)


def tagged(answer: str | int | np.integer) -> str:
    return f"</think> <answer>\\boxed{{{answer}}}</answer>"
