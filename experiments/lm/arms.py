"""What is compared: each arm is the URL of a reward."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Arm:
    """`path` is where the reward is; `seeds` of the run, which are those of the noise too."""

    name: str
    path: str
    seeds: tuple[int, ...]
    paper: str
    """What Lv et al. 2025 report of it on MATH-500, in percent."""

    def url(self, server: str, seed: int) -> str:
        return server + self.path.format(seed=seed)


ARMS = {
    arm.name: arm
    for arm in (
        Arm("p=0", "/score/flip?flip_prob=0&seed={seed}", (0, 1, 2), "75.85"),
        Arm("p=0.2", "/score/flip?flip_prob=0.2&seed={seed}", (0,), ""),
        Arm("p=0.4", "/score/flip?flip_prob=0.4&seed={seed}", (0, 1, 2), "72.02"),
        Arm("p=0.5", "/score/flip?flip_prob=0.5&seed={seed}", (0, 1, 2), "collapses"),
        Arm("RPR only", "/score/rpr?phrases=math", (0,), "70.21 at its peak"),
        Arm("RM", "/score/rm?alpha=0&phrases=math", (0,), ""),
        Arm("RM + RPR", "/score/rm?alpha=0.1&phrases=math", (0,), ""),
    )
}
