"""What is compared: each arm is the URL of a reward."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Arm:
    """`path` is where the reward is; `seeds` of the run, which are those of the noise too. `questions`, `group`: of a
    step, and samples a question."""

    name: str
    path: str
    seeds: tuple[int, ...] = (0, 1, 2)
    questions: int = 16
    group: int = 8

    def url(self, server: str, seed: int) -> str:
        return server + self.path.format(seed=seed)


ARMS = {
    arm.name: arm
    for arm in (
        Arm("p=0", "/score/flip?flip_prob=0&seed={seed}", (0, 1, 2)),
        Arm("p=0.2", "/score/flip?flip_prob=0.2&seed={seed}", (0,)),
        Arm("p=0.4", "/score/flip?flip_prob=0.4&seed={seed}", (0, 1, 2)),
        Arm("p=0.5", "/score/flip?flip_prob=0.5&seed={seed}", (0, 1, 2)),
        Arm("p=0, 64 x 4", "/score/flip?flip_prob=0&seed={seed}", (0, 1), questions=64, group=4),
        Arm("p=0.4, 64 x 4", "/score/flip?flip_prob=0.4&seed={seed}", (0, 1), questions=64, group=4),
        Arm("RPR only", "/score/rpr?phrases=math", (0,)),
        Arm("RM", "/score/rm?alpha=0&phrases=math", (0,)),
        Arm("RM + RPR", "/score/rm?alpha=0.1&phrases=math", (0,)),
    )
}


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
