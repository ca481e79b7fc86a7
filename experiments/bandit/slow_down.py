"""`python -m experiments.bandit.slow_down`: what p = 0.4 costs, by optimiser and by questions a step, in two minutes.

Steps to an accuracy of 0.7 at p = 0.4, over those at p = 0. Rewards are the server's pure functions in this process.
Eight runs each of the shared policy on 128 questions. The three learning rates give p = 0 some 60 to 110 steps.
"""

from __future__ import annotations

from dataclasses import replace

from experiments.bandit.canned import Canned, canned, drawn
from experiments.bandit.laws import REACHED, steps
from experiments.bandit.rewards import InProcess
from experiments.bandit.training import Setting, train

QUESTIONS = 128
SIZES = ((16, 8), (64, 4), (128, 4))
"""Questions a step, and samples a question."""
PLAIN = Setting(lr=0.3, steps=3000, seeds=8, until=REACHED)
OPTIMISERS = {
    "plain SGD": PLAIN,
    "SGD, gradients clipped at 0.02": replace(PLAIN, lr=2.0, clip=0.02),
    "Adam": replace(PLAIN, lr=0.03, adam=True),
}


def ratio(setting: Setting, answers: Canned) -> tuple[int, int]:
    """Steps at p = 0 and at p = 0.4."""
    clean, noisy = (steps(train(setting, answers.is_right, InProcess(f"flip_prob={p:g}", answers))) for p in (0, 0.4))
    return clean, noisy


def main() -> None:
    answers = canned(drawn(0, QUESTIONS))
    print("| optimiser | " + " | ".join(f"{batch} x {group}" for batch, group in SIZES) + " |")
    print("|---" * (len(SIZES) + 1) + "|")
    for name, setting in OPTIMISERS.items():
        cells = []
        for batch, group in SIZES:
            clean, noisy = ratio(replace(setting, batch=batch, group=group), answers)
            cells.append(f"{noisy / clean:.2f} ({clean} to {noisy})")
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
