"""`verifier`: is the final answer right? And where nothing was earned, RPR, if `alpha` says so.

    clean → where it is 0 and an answer was given, min(1, alpha · rpr) → grid

With alpha = 1 this is `add_format_reward_when_wrong` of the authors' code (Lv et al. 2025, arXiv 2505.22653).
Evaluation rows (`flip` False) are paid the clean score, as in that code. Range 0 … 1. What could not be scored keeps
its null.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from reward_server.grading.places import Place
from reward_server.grading.reading import Check
from reward_server.rewards.found import Found, Needs, asked
from reward_server.rewards.grid import to_grid, topped_up
from reward_server.rewards.reasoning import Rpr
from reward_server.rewards.reward import ANSWER, Reward, small_alpha
from reward_server.types import Outcome, Sample, Score


class VerifierReward(Reward):
    """Is the final answer right?"""

    check: Check = Field("math", description="How answers are compared: as mathematics, or as strings (paper's rule).")
    answer: Place = Field("box", description=ANSWER)
    ordered: bool = Field(False, description="Must bare lists such as 1,1,0 have the ground truth's order?")
    alpha: float = Field(
        0.0, ge=0, description="A wrong answer pays min(1, alpha · RPR). (rm: added below the threshold.)"
    )

    came_later: ClassVar[frozenset[str]] = frozenset({"ordered", "answer"})

    def lacks(self, sample: Sample) -> str | None:
        """A ground truth."""
        if sample.ground_truths is None:
            return (
                "{name} needs a ground truth (ground_truths, labels, label, reference_answer): row {row} has none."
                " LLaMA-Factory sends none at all: use rm or rpr"
            )
        return None

    def needs(self) -> Needs:
        """A verdict, and RPR where it is paid."""
        return Needs(check=self.check, place=self.answer, ordered=self.ordered, rpr=self.alpha > 0)

    def warnings(self, sample: Sample) -> tuple[str, ...]:
        """An alpha that the grid swallows."""
        return small_alpha(self.alpha)

    def settle(self, sample: Sample, found: Found) -> Score:
        """The clean score, topped up."""
        outcome = asked(found.verdict).outcome
        clean = outcome.clean
        reward = self.earned(clean, outcome, found.rpr if sample.flip else None)
        return Score(outcome, reward, shown=reward, parts={"clean": clean, **rpr_part(found.rpr)})

    def earned(self, result: float | None, outcome: Outcome, rpr: Rpr | None) -> float | None:
        """`result` on the grid; topped up where it is 0, an answer was graded, and `rpr` is given."""
        if result == 0.0 and rpr is not None and outcome.is_exposed:
            result = topped_up(result, rpr.value, self.alpha)
        return None if result is None else to_grid(result)


def rpr_part(rpr: Rpr | None) -> dict[str, float | None]:
    """The part that is there only where RPR was asked for."""
    return {} if rpr is None else {"rpr": rpr.value}
