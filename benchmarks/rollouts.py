"""A made-up set of rollouts, the same every time: questions with the mix of answers that GRPO groups have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

CHARACTERS = 6000
SENTENCES = (
    "Let me check whether $x = {a}$ satisfies the equation $x^2 - {b}x + {c} = 0$.",
    "Since we have \\frac{{{a}}}{{{b}}} = {c}, it follows that the ratio is fixed.",
    "Wait, I assumed that $n$ is even, but for $n = {a}$ this gives ${b}$.",
    "Therefore the sum of the first {a} terms is \\sum_{{k=1}}^{{{b}}} k^2 = {c}.",
    "We know that the triangle has sides {a}, {b} and {c}, so its area comes from Heron's formula.",
    "Alternatively, count the ways to choose {a} of {b} objects: \\binom{{{b}}}{{{a}}}.",
    "So the remainder of {c} divided by {a} must be {b}, which is what the problem asks.",
)
KINDS: tuple[Callable[[int, int], tuple[str, str, str, str]], ...] = (
    # (ground truth, the same in another notation, a common wrong answer, another wrong one)
    lambda a, b: (str(a), f"{a}.0", str(a + 1), str(-a)),
    lambda a, b: (str(a * 1000), f"{a},000", str(a * 100), str(a)),
    lambda a, b: (f"\\frac{{{a}}}{{{b}}}", f"{a}/{b}", f"\\frac{{{b}}}{{{a}}}", f"\\frac{{{a}}}{{{b + 1}}}"),
    lambda a, b: (f"{a}\\sqrt{{{b}}}", f"\\sqrt{{{a * a * b}}}", f"{b}\\sqrt{{{a}}}", f"{a + b}"),
    lambda a, b: (f"({a},{b})", f"\\left({a}, {b}\\right)", f"({b},{a})", f"({a},{-b})"),
    lambda a, b: (f"x^2+{a + b}x+{a * b}", f"(x+{a})(x+{b})", f"x^2+{a}x+{b}", f"(x-{a})(x-{b})"),
    lambda a, b: (f"{a}\\pi", f"\\pi\\cdot {a}", f"{b}\\pi", f"{a}"),
    lambda a, b: (f"{a}\\ln x+{b}", f"{b}+{a}\\ln(x)", f"{b}\\ln x+{a}", f"{a}\\ln x-{b}"),
)
WEIGHTS = (0.62, 0.05, 0.1, 0.07, 0.06, 0.04, 0.03, 0.03)
"""Plain integers are 311 of MATH-500's 500 ground truths. Only the last kind needs Math-Verify in a worker."""


@dataclass(frozen=True)
class Rollouts:
    """Columns of shape (questions x 8,), a question's rollouts together."""

    completions: list[str]
    ground_truths: list[str]
    rewards: list[float]
    """What each should be paid."""


def make_rollouts(questions: int) -> Rollouts:
    """In each group: four right in two notations, two with one shared wrong answer, one other wrong, one unanswered."""
    rng = np.random.default_rng(7)
    completions: list[str] = []
    ground_truths: list[str] = []
    for _ in range(questions):
        a, b = (int(n) for n in rng.choice(np.arange(3, 98), size=2, replace=False))
        truth, same, common, other = KINDS[rng.choice(len(KINDS), p=WEIGHTS)](a, b)
        for answer in (truth, same, truth, same, common, common, other, None):
            box = "I am not sure." if answer is None else f"So the answer is $\\boxed{{{answer}}}$."
            completions.append(reasoning(rng, CHARACTERS - len(box)) + box)
            ground_truths.append(truth)
    return Rollouts(completions, ground_truths, [1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0] * questions)


def reasoning(rng: np.random.Generator, characters: int) -> str:
    """English and LaTeX as a policy writes them: sentences that come back with other numbers."""
    lines: list[str] = []
    length = 0
    while length < characters:
        a, b, c = rng.integers(2, 999, 3)
        lines.append(SENTENCES[rng.integers(len(SENTENCES))].format(a=a, b=b, c=c) + "\n")
        length += len(lines[-1])
    return "".join(lines)[:characters]
