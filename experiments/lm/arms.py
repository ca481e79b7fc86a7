"""What is compared: each arm is the URL of a reward."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from experiments.lm.task import LAST_DIGITS, SUMS


@dataclass(frozen=True)
class Arm:
    """`path` is where the reward is; `seeds` of the run, which are those of the noise too. `questions`, `group`: of a
    step, and samples a question. `faster`: times the learning rate. `clip`: the norm at which gradients are clipped.
    `longer`: times the steps. `answers`: of the task."""

    name: str
    path: str
    seeds: tuple[int, ...] = (0, 1, 2)
    questions: int = 16
    group: int = 8
    faster: float = 1
    clip: float = 0.2
    longer: float = 1
    answers: int = SUMS

    def url(self, server: str, seed: int) -> str:
        return server + self.path.format(seed=seed)


LONG: Any = {"faster": 4, "clip": 0.05, "longer": 2.5}
"""Clipped, for 500 steps."""
ARMS = {
    arm.name: arm
    for arm in (
        Arm("p=0", "/score/flip?flip_prob=0&seed={seed}", (0, 1, 2)),
        Arm("p=0.2", "/score/flip?flip_prob=0.2&seed={seed}", (0,)),
        Arm("p=0.4", "/score/flip?flip_prob=0.4&seed={seed}", (0, 1, 2)),
        Arm("p=0.5", "/score/flip?flip_prob=0.5&seed={seed}", (0, 1, 2)),
        Arm("p=0, 64 x 4", "/score/flip?flip_prob=0&seed={seed}", (0, 1), 64, 4),
        Arm("p=0.4, 64 x 4", "/score/flip?flip_prob=0.4&seed={seed}", (0, 1), 64, 4),
        Arm("p=0, 64 x 4, clipped", "/score/flip?flip_prob=0&seed={seed}", (0, 1), 64, 4, faster=4, clip=0.05),
        Arm("p=0.4, 64 x 4, clipped", "/score/flip?flip_prob=0.4&seed={seed}", (0, 1), 64, 4, faster=4, clip=0.05),
        Arm("p=0, 500 steps", "/score/flip?flip_prob=0&seed={seed}", longer=2.5),
        Arm("p=0.4, 500 steps", "/score/flip?flip_prob=0.4&seed={seed}", longer=2.5),
        Arm("p=0, 64 x 4, 500 steps", "/score/flip?flip_prob=0&seed={seed}", (0,), 64, 4, **LONG),
        Arm("p=0.4, 64 x 4, 500 steps", "/score/flip?flip_prob=0.4&seed={seed}", (0, 1), 64, 4, **LONG),
        Arm("p=0, 128 x 4, 500 steps", "/score/flip?flip_prob=0&seed={seed}", (0,), 128, 4, **LONG),
        Arm("p=0.4, 128 x 4, 500 steps", "/score/flip?flip_prob=0.4&seed={seed}", (0, 1), 128, 4, **LONG),
        Arm("RPR only", "/score/rpr?phrases=math", (0,)),
        Arm("RM", "/score/rm?alpha=0&phrases=math", (0,)),
        Arm("RM + RPR", "/score/rm?alpha=0.1&phrases=math", (0,)),
    )
}
"""`clipped`: gradients of 64 questions have a norm of about 0.1, so at a clip of 0.2 the update is not normalised, and
noise shortens each step. At 0.05 every step is as long as one of 16 x 8. Those of 500 steps are clipped alike. The
paper's step is 128 x 4."""


def judge(accuracy: float, *, with_rpr: bool) -> Arm:
    """A judge of that accuracy. Reasoned texts have two or three phrases: at `saturation=4` RPR is as large as in the
    paper, at its 20 a tenth."""
    name, alpha = (f"{100 * accuracy:g} % + RPR", 0.1) if with_rpr else (f"{100 * accuracy:g} %", 0)
    return Arm(name, f"/score/rm_sim?accuracy={accuracy:g}&alpha={alpha:g}&{PHRASES}&seed={{seed}}")


PHRASES = "phrases=math&saturation=4"
JUDGE_ARMS = {
    arm.name: arm
    for arm in (
        Arm("clean", "/score/verifier"),
        *(judge(accuracy, with_rpr=rpr) for accuracy in (0.6, 0.65, 0.85) for rpr in (False, True)),
        Arm("RPR alone", f"/score/rpr?{PHRASES}"),
        Arm("constant + RPR", f"/score/rm_sim?accuracy=0.5&threshold=0.6&alpha=0.1&{PHRASES}&seed={{seed}}"),
    )
}
"""The paper's third finding, with judges whose errors belong to the question and the answer. The last two are controls:
no judge, and one that says 0.5 to everything."""


def trained(percent: int, *, with_rpr: bool) -> Arm:
    """The reward model that a server has: one that was trained until it was right so often."""
    name, alpha = (f"RM {percent} % + RPR", 0.1) if with_rpr else (f"RM {percent} %", 0)
    return Arm(name, f"/score/rm?alpha={alpha:g}&{PHRASES}", (0,), answers=LAST_DIGITS)


TRAINED_ARMS = {
    arm.name: arm
    for arm in (
        Arm("clean, last digit", "/score/verifier", (0,), answers=LAST_DIGITS),
        *(trained(percent, with_rpr=rpr) for percent in (65, 75, 85) for rpr in (False, True)),
    )
}
"""The same with reward models that were trained, once."""
