"""`rm_sim`: a reward model of a given accuracy, without a model: for experiments on a CPU, with the truth beside.

    s = what the judge says (`judge.py`), 0 where there is no answer or its grading ran out of time
    reward = s if s >= threshold, else min(1, s + alpha · rpr), on the grid

All after s is as for `rm` (Lv et al. 2025, arXiv 2505.22653), evaluation rows too: they are paid s. Range 0 … 1. What
could not be graded keeps its null. A `partial` score of at least 0.5 is right for the judge, one below it is wrong: its
accuracy then is the share of answers on the side of 0.5 that their own scores are on.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from reward_server.grading.places import Place
from reward_server.grading.reading import BUILT_IN_CHECKS, Check
from reward_server.rewards.found import Found, Needs, asked
from reward_server.rewards.grid import calibrated, to_grid
from reward_server.rewards.judge import judged
from reward_server.rewards.key import answer_form, group_of, lacks_key
from reward_server.rewards.noise import is_right, judge_draw
from reward_server.rewards.reward import ANSWER, CHECK, Reward, small_alpha
from reward_server.types import Sample, Score


class RmSimReward(Reward):
    """A reward model of a given accuracy, without a model, lifted by RPR below a threshold."""

    phrases: str = Field("open_ended", description="Phrase list: math, open_ended, or one named in rewards.toml.")
    accuracy: float = Field(
        0.65, ge=0.5, lt=1, description="Share of answers on whose right side of 0.5 the judge is, at tilt 0."
    )
    sharpness: float = Field(1.7, gt=0, description="How far scores are from 0.5. 1.7 has the paper's variances.")
    tilt: float = Field(0.0, description="Above 0 the judge is stingy, below 0 generous.")
    seed: int = Field(0, description="Seed of the judge's errors. Another seed errs on other answers.")
    alpha: float = Field(0.1, ge=0, description="A score below the threshold is lifted by alpha · RPR, to 1 at most.")
    threshold: float = Field(0.5, description="A score from here on is paid as it is.")
    monotone: bool = Field(
        False, description="Lift a score to the threshold at most. As published, RPR may lift it past a better one."
    )
    check: Check = Field("math", description=CHECK, examples=[*BUILT_IN_CHECKS])
    answer: Place = Field("box", description=ANSWER)
    ordered: bool = Field(False, description="Must bare lists such as 1,1,0 have the ground truth's order?")

    asks_checks: ClassVar[tuple[str, ...]] = ("check",)

    def lacks(self, sample: Sample) -> str | None:
        """A ground truth, or a key for the judge's errors."""
        if sample.ground_truths is None:
            return "{name} needs a ground truth (ground_truths, labels, label, reference_answer): row {row} has none"
        return lacks_key(sample)

    def needs(self) -> Needs:
        """A verdict, and RPR."""
        return Needs(check=self.check, place=self.answer, ordered=self.ordered, turn=self.turn, rpr=True)

    def warnings(self, sample: Sample) -> tuple[str, ...]:
        """An alpha that the grid swallows, and a judge that knows nothing."""
        said = small_alpha(self.alpha)
        return (*said, "accuracy=0.5: the judge says 0.5 to every answer") if self.accuracy == 0.5 else said

    def settle(self, sample: Sample, found: Found) -> Score:
        """What the judge says, lifted; null where the answer could not be graded."""
        verdict, rpr = asked(found.verdict), asked(found.rpr)
        outcome, clean = verdict.outcome, verdict.clean
        if clean is None:
            parts: dict[str, float | None] = {"clean": None, "rm": None, "rpr": rpr.value, "calibrated": None}
            return Score(outcome, None, shown=None, parts=parts)
        score = self._says(sample, found, clean) if outcome.is_exposed else 0.0
        paid_rpr = rpr.value if outcome.is_exposed else 0.0
        alpha = self.alpha if sample.flip else 0.0
        value = calibrated(score, paid_rpr, threshold=self.threshold, alpha=alpha, monotone=self.monotone)
        reward = to_grid(value)
        parts = {"clean": clean, "rm": score, "rpr": paid_rpr, "calibrated": value}
        return Score(outcome, reward, shown=reward, parts=parts, unrounded=value)

    def _says(self, sample: Sample, found: Found, clean: float) -> float:
        draw = judge_draw(seed=self.seed, group=group_of(sample), answer=answer_form(found.reading, self.check))
        return judged(float(is_right(clean)), draw, accuracy=self.accuracy, sharpness=self.sharpness, tilt=self.tilt)
