"""`verifier`: is the final answer right? And where nothing was earned, RPR, if `alpha` says so.

    clean → where it is 0 and an answer was given, min(1, alpha · rpr) → grid

With alpha = 1 this is `add_format_reward_when_wrong` of the authors' code (Lv et al. 2025, arXiv 2505.22653). Before
the visit `rpr_until_visit` a graded answer pays its RPR alone, right or wrong: the code's `correctness_warmup`.
Evaluation rows (`flip` False) are paid the clean score, as in that code. Range 0 … 1. What could not be scored keeps
its null.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

from pydantic import Field, model_validator

from reward_server.grading.places import Place
from reward_server.grading.reading import BUILT_IN_CHECKS, Check
from reward_server.rewards.found import Found, Needs, asked
from reward_server.rewards.grid import on_grid, topped_up
from reward_server.rewards.key import lacks_key
from reward_server.rewards.reasoning import Rpr
from reward_server.rewards.reference import chosen_rows, opinion
from reward_server.rewards.reward import ANSWER, CHECK, Reward, small_alpha
from reward_server.types import Outcome, Sample, Score


class VerifierReward(Reward):
    """Is the final answer right?"""

    check: Check = Field("math", description=CHECK, examples=[*BUILT_IN_CHECKS])
    answer: Place = Field("box", description=ANSWER)
    ordered: bool = Field(False, description="Must bare lists such as 1,1,0 have the ground truth's order?")
    alpha: float = Field(
        0.0, ge=0, description="A wrong answer pays min(1, alpha · RPR). (rm: added below the threshold.)"
    )

    rpr_until_visit: int = Field(
        0, ge=0, description="Before this visit an answer pays its RPR alone, right or wrong (authors' warm-up)."
    )

    reference: Check | None = Field(
        None, description="A second opinion, as `check`: it is asked too and pays nothing. How often do they differ?"
    )
    reference_share: float = Field(
        1.0, ge=0, le=1, description="Share of questions, by visit, of which the second opinion is asked; one rollout."
    )
    seed: int = Field(
        0, description="Seed of all draws: which questions the second opinion is asked about, and the noise of flip."
    )

    asks_checks: ClassVar[tuple[str, ...]] = ("check", "reference")
    came_later: ClassVar[frozenset[str]] = Reward.came_later | {
        *("ordered", "answer", "rpr_until_visit", "reference", "reference_share", "seed")
    }

    @model_validator(mode="after")
    def _shares_an_opinion(self) -> Self:
        if self.reference is None and self.reference_share != 1:
            raise ValueError("reference_share needs reference: of whom is it a share?")
        return self

    def lacks(self, sample: Sample) -> str | None:
        """A ground truth, and a key for the choice of what the second opinion is asked."""
        if sample.ground_truths is None:
            return (
                "{name} needs a ground truth (ground_truths, labels, label, reference_answer): row {row} has none."
                " LLaMA-Factory sends none at all: use rm or rpr"
            )
        return None if self.reference is None else lacks_key(sample)

    def needs(self) -> Needs:
        """A verdict, and RPR where it is paid."""
        wants_rpr = self.alpha > 0 or self.rpr_until_visit > 0
        return Needs(
            check=self.check,
            place=self.answer,
            ordered=self.ordered,
            turn=self.turn,
            rpr=wants_rpr,
            reference=self.reference,
        )

    def refers(self, samples: Sequence[Sample], texts: Sequence[str]) -> list[int]:
        """One rollout of a question that is chosen."""
        return chosen_rows(samples, texts, seed=self.seed, share=self.reference_share)

    def warnings(self, sample: Sample) -> tuple[str, ...]:
        """An alpha that the grid swallows, and a warm-up without end."""
        said = small_alpha(self.alpha)
        if self.reference == self.check:
            said = (*said, f"reference={self.reference} is the rule that pays, so the second opinion only repeats it")
        if self.rpr_until_visit > 0 and sample.flip and sample.visit is None:
            return (*said, "no visit: the warm-up of rpr_until_visit never ends; send visits")
        return said

    def warms_up(self, sample: Sample) -> bool:
        """Is RPR paid, whatever the verdict? Evaluation rows never are. A visit below 0 is as early as the first."""
        return sample.flip and max(0, sample.visit or 0) < self.rpr_until_visit

    def settle(self, sample: Sample, found: Found) -> Score:
        """The clean score, topped up."""
        verdict = asked(found.verdict)
        outcome, clean = verdict.outcome, verdict.clean
        earned = self.earned(sample, clean, outcome, found.rpr)
        reward = on_grid(earned)
        parts = {"clean": clean, **self.other_parts(sample, found)}
        return Score(outcome, reward, shown=reward, parts=parts, unrounded=earned)

    def other_parts(self, sample: Sample, found: Found) -> dict[str, float | None]:
        """The parts that are there only where they were asked for."""
        parts: dict[str, float | None] = {} if found.rpr is None else {"rpr": found.rpr.value}
        if self.rpr_until_visit > 0:
            parts["warmup"] = float(self.warms_up(sample))
        if self.reference is not None:
            parts |= {"reference": opinion(found.reference), "reference_share": self.reference_share}
        return parts

    def earned(self, sample: Sample, result: float | None, outcome: Outcome, rpr: Rpr | None) -> float | None:
        """`result`, or what RPR gives in its place: all in the warm-up, a top-up where `result` is 0. Unrounded.

        RPR is paid for answers that were graded, and never in evaluation rows.
        """
        if result is None or rpr is None or not sample.flip or not outcome.is_exposed:
            return result
        if self.warms_up(sample):
            return rpr.value
        return topped_up(result, rpr.value, self.alpha)
