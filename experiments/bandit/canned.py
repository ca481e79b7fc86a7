"""What the bandit may answer: four completions to each question, right or wrong as a matrix says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.rollouts import KINDS
from reward_server.grading.math_verify_tier import judge_with_math_verify
from reward_server.grading.reading import Reading, read
from reward_server.grading.tiers import judge_cheaply
from reward_server.types import Verdict

QUESTIONS, STRATEGIES = 64, 4
ACCURACIES = (0.8, 0.3, 0.1, 0.0)
TEXTS = (
    "<think>First, write it down. Next, work it out step by step. Therefore</think> <answer>\\boxed{{{}}}</answer>",
    "The pattern suggests $\\boxed{{{}}}$.",
    "I am fairly sure that it is \\boxed{{{}}}, since such problems usually have this answer.",
    "\\boxed{{{}}}",
)
"""One a strategy, round its answer."""


@dataclass(frozen=True)
class Canned:
    """`ground_truths` and `wrong_ground_truths` by question, `completions` by question and strategy, `is_right` [N, M].

    Strategies 1 and 3 give the wrong ground truth where they are wrong, so it is twice as frequent as the other wrong
    answer, which strategy 2 gives.
    """

    ground_truths: list[str]
    wrong_ground_truths: list[str]
    completions: list[list[str]]
    is_right: NDArray[np.bool_]

    def reading(self, question: int, strategy: int) -> Reading:
        """The completion, as the server's own functions read it."""
        (reading,) = read([self.completions[question][strategy]], "math")
        return reading

    def verdict(self, question: int, strategy: int, *, by_wrong_label: bool = False) -> Verdict:
        """What the server's own functions say of it, here in this process."""
        truths, answer = (
            (self.wrong_ground_truths if by_wrong_label else self.ground_truths),
            self.reading(question, strategy).answer,
        )
        if answer is None:
            raise ValueError(f"the completion of question {question}, strategy {strategy} has no box")
        return judge_cheaply(truths[question], answer.text) or judge_with_math_verify(
            truths[question], answer.text, 8.0
        )


def drawn(seed: int, questions: int = QUESTIONS) -> NDArray[np.bool_]:
    """Correctness [N, M]: the first draw of `default_rng(seed)`. T8 is stated for 11, the time laws for 0."""
    is_right: NDArray[np.bool_] = np.random.default_rng(seed).random((questions, STRATEGIES)) < ACCURACIES
    return is_right


def first_only() -> NDArray[np.bool_]:
    """Correctness [N, M] of T11, T13 and T14: the first strategy is right, the others are not."""
    is_right = np.zeros((QUESTIONS, STRATEGIES), bool)
    is_right[:, 0] = True
    return is_right


def canned(is_right: NDArray[np.bool_]) -> Canned:
    """Questions of all kinds, from integers to logarithms; a right answer is in the truth's notation or in another."""
    rng = np.random.default_rng(7)
    truths, wrong_truths, completions = [], [], []
    for question in range(len(is_right)):
        a, b = (int(n) for n in rng.choice(np.arange(3, 98), size=2, replace=False))
        truth, same, *wrong = KINDS[question % len(KINDS)](a, b)
        right = (truth, same)
        truths.append(truth)
        wrong_truths.append(wrong[1])
        completions.append(
            [TEXTS[s].format((right if is_right[question, s] else wrong)[s % 2]) for s in range(STRATEGIES)]
        )
    return Canned(truths, wrong_truths, completions, is_right)
