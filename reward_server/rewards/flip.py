"""`flip`: the verifier's score, inverted with a known probability and reproducibly. What is drawn, and how: `noise.py`.

    clean, of some questions against the wrong ground truth → flip
          → where the result is 0 and an answer was given, min(1, alpha · rpr) → grid

Evaluation rows (`flip` False) are paid the clean score: no noise and no RPR. Range 0 … 1, but for a correction:
`backward` is unbounded, `forward` pays -1 … 1. An unscored sample keeps its null through every step. Of a `partial`
score s the flip pays 1 - s, at the rate of a 1 where s is at least 0.5, else at that of a 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from reward_server.grading.reading import Reading
from reward_server.rewards.feature import FlipIf, Span, feature_of
from reward_server.rewards.found import Found, asked
from reward_server.rewards.grid import on_grid
from reward_server.rewards.key import answer_form, group_of, lacks_key
from reward_server.rewards.noise import (
    NoiseRates,
    answer_draw,
    backward_corrected,
    expected_weight,
    flip_draw,
    forward_weight,
    is_flipped,
    label_draw,
)
from reward_server.rewards.rate import Rate, at_visit, highest
from reward_server.rewards.verify import VerifierReward
from reward_server.types import Noise, Outcome, Sample, Score, Verdict

RATES = {"flip_prob", "false_positive_prob", "false_negative_prob"}
FIXED = {
    "question": "no visit: this noise is fixed for each question; for more than one epoch send visits",
    "sample": "no visit: this noise is fixed for each completion of a question; for more than one epoch send visits",
}
"""What is said by scope, where a sample has no visit."""


def both_right(true: Verdict | None, wrong: Verdict | None) -> bool:
    """Is an answer right by the true ground truth, and by the wrong one too?"""
    return true is not None and wrong is not None and true.clean == wrong.clean == 1


class FlipReward(VerifierReward):
    """The verifier's score, inverted with a known probability and reproducibly."""

    flip_prob: Rate | None = Field(
        None, description="Probability that a clean score is inverted. By visit: `0.4@0,0.1@100`."
    )
    false_positive_prob: Rate | None = Field(None, description="Probability that a clean 0 is paid as 1.")
    false_negative_prob: Rate | None = Field(None, description="Probability that a clean 1 is paid as 0.")
    seed: int = Field(0, description="Seed of the noise. Another seed is another draw for every question.")
    flip_scope: Literal["question", "sample", "answer"] = Field(
        "question",
        description="What shares one draw: all completions of one visit of a question, equal ones only, or equal"
        " answers at every visit.",
    )
    label_noise: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Share of questions that are graded against `wrong_ground_truth` of their label, at every visit.",
    )
    flip_if: FlipIf | None = Field(
        None,
        description="Noise only where this holds of the own turn: `phrase:TEXT`, `regex:RE` (RE2), `length>N` or"
        " `answer_length>N` (characters). Others are paid clean.",
    )
    flip_unanswered: bool = Field(False, description="May noise invert unanswered samples too?")
    correction: Literal["none", "backward", "forward"] = Field(
        "none",
        description="backward: pay rewards whose mean over the noise is the clean score (below 0, above 1)."
        " forward: the noisy score + false_negative_prob - 1.",
    )

    came_later: ClassVar[frozenset[str]] = (VerifierReward.came_later - {"seed"}) | {"label_noise", "flip_if"}

    @model_validator(mode="after")
    def _has_one_noise_level(self) -> Self:
        single = self.flip_prob is not None
        pair = (self.false_positive_prob is not None, self.false_negative_prob is not None)
        if not single and not any(pair) and self.label_noise > 0 and self.flip_if is None:
            return self  # labels alone are wrong
        if single == any(pair) or (not single and not all(pair)):
            raise ValueError("give flip_prob, or both false_positive_prob and false_negative_prob")
        return self

    @model_validator(mode="after")
    def _is_correctable(self) -> Self:
        if self.correction == "none":
            return self
        if sum(map(highest, self._pair)) >= 1:
            raise ValueError(
                f"correction={self.correction} needs false_positive_prob + false_negative_prob < 1: at 1 and above the"
                " noisy reward says nothing, or the opposite"
            )
        for name, paid_rpr in (("alpha", self.alpha), ("rpr_until_visit", self.rpr_until_visit)):
            if paid_rpr > 0:
                raise ValueError(
                    f"correction={self.correction} and {name} > 0 do not go together: RPR would be paid beside"
                    " corrected rewards"
                )
        return self

    @classmethod
    def merged(cls, defaults: dict[str, object], given: Mapping[str, object]) -> dict[str, object]:
        """As for every reward; a noise level given in one way replaces the variant's in the other."""
        if RATES & set(given):
            defaults = {key: value for key, value in defaults.items() if key not in RATES}
        return super().merged(defaults, given)

    @property
    def work_of_a_char(self) -> int:
        """An expression is searched for in every text."""
        return 1 if self.flip_if is None else feature_of(self.flip_if).work

    @property
    def tells_scores(self) -> bool:
        """By a wrong label, or in a warm-up, it is paid by something else than `clean`, which must not leak."""
        return self.label_noise > 0 or self.rpr_until_visit > 0

    def rates(self, visit: int | None) -> NoiseRates:
        """How often a clean 0, a clean 1, is turned at that visit; the first where there is none."""
        of_0, of_1 = self._pair
        return NoiseRates(at_visit(of_0, visit or 0), at_visit(of_1, visit or 0))

    @property
    def _pair(self) -> tuple[float | str, float | str]:
        if self.flip_prob is not None:
            return self.flip_prob, self.flip_prob
        return self.false_positive_prob or 0.0, self.false_negative_prob or 0.0

    def lacks(self, sample: Sample) -> str | None:
        """A ground truth, a key for the noise, or the wrong label of a row that may need it."""
        lacking = super().lacks(sample) or lacks_key(sample)
        if lacking is None and self.label_noise > 0 and sample.flip and sample.wrong_ground_truths is None:
            return (
                "{name} with label_noise needs a wrong ground truth for every question: the label of row {row} has no"
                ' `wrong_ground_truth`, as in {{"ground_truth": "4", "wrong_ground_truth": "5"}}'
            )
        return lacking

    def mislabels(self, sample: Sample) -> bool:
        """By a hash of its question, so that all its completions are, at every visit. Evaluation rows are not."""
        wanted = self.label_noise > 0 and sample.flip
        return wanted and label_draw(seed=self.seed, group=group_of(sample)) < self.label_noise

    def warnings(self, sample: Sample) -> tuple[str, ...]:
        """Noise that no visit renews, too."""
        said = super().warnings(sample)
        if self.correction == "forward":
            said = (*said, "correction=forward shifts all rewards alike: any baseline that is a mean cancels it")
        if self.correction != "none" and self.label_noise > 0:
            said = (*said, f"correction={self.correction} undoes inversions, and not what label_noise does")
        is_noisy = sample.flip and max(map(highest, self._pair)) > 0
        return (*said, *self._visit_warnings()) if is_noisy and sample.visit is None else said

    def _visit_warnings(self) -> Iterator[str]:
        """For a sample without a visit."""
        if self.flip_scope in FIXED:
            yield FIXED[self.flip_scope]
        if any(isinstance(rate, str) for rate in self._pair):
            yield "no visit: of the schedule of rates its first holds for ever; send visits"

    def settle(self, sample: Sample, found: Found) -> Score:
        """The clean score, turned or not, then as for the verifier."""
        true, wrong = asked(found.verdict), found.wrong_verdict
        labelled = true if wrong is None or true.outcome.is_unscored else wrong  # by the label that the row is paid by
        outcome = labelled.outcome if labelled.outcome.is_unscored else true.outcome
        noise = self.noise(sample, labelled, found.reading)
        clean = labelled.clean
        noisy = 1.0 - clean if noise.flipped and clean is not None else clean
        parts: dict[str, float | None] = {"clean": true.clean, "flipped": float(noise.flipped), "flip_draw": noise.draw}
        if self.label_noise > 0:
            parts["wrong_label"] = float(wrong is not None)
        if noise.holds is not None:
            parts["flip_if"] = float(noise.holds)
        earned = None if noisy is None else self._corrected(noisy, sample, noise)
        if earned is None:
            earned = self.earned(sample, noisy, labelled.outcome, found.rpr)
        reward = on_grid(earned)
        shown = reward if self.warms_up(sample) else noisy  # clean labels must not leak
        parts = {**parts, **self.other_parts(sample, found)}
        return Score(outcome, reward, shown, parts, noise=noise, unrounded=earned)

    def _corrected(self, noisy: float, sample: Sample, noise: Noise) -> float | None:
        """The reward under a correction; None where the score itself is paid.

        Samples that noise may not invert are paid what others have on average: under `backward` that is their score.
        """
        rates = self.rates(sample.visit)
        if self.correction == "backward" and noise.exposed:
            return backward_corrected(noisy, rates)
        if self.correction == "forward" and sample.flip:
            return forward_weight(noisy, rates) if noise.exposed else expected_weight(noisy, rates)
        return None

    def noise(self, sample: Sample, verdict: Verdict, reading: Reading) -> Noise:
        """What is drawn for a sample, keyed by its question and what `flip_scope` says."""
        group = group_of(sample)
        visit = sample.visit or 0
        if self.flip_scope == "answer":
            draw = answer_draw(seed=self.seed, group=group, answer=answer_form(reading, self.check))
        else:
            keyed = reading.text if self.flip_scope == "sample" else None
            draw = flip_draw(seed=self.seed, group=group, visit=visit, completion=keyed)
        clean, rates = verdict.clean, self.rates(sample.visit)
        holds, at = self._feature(reading)
        exposed = holds is not False and sample.flip and self._may_flip(verdict.outcome) and not self.warms_up(sample)
        return Noise(
            seed=self.seed,
            group=group,
            visit=visit,
            scope=self.flip_scope,
            draw=draw,
            threshold=rates.of(clean),
            exposed=exposed,
            flipped=exposed and clean is not None and is_flipped(clean, draw, rates),
            holds=holds,
            at=at,
        )

    def _feature(self, reading: Reading) -> tuple[bool | None, Span | None]:
        """Does the text have what noise follows, and where? None: it follows nothing."""
        if self.flip_if is None:
            return None, None
        at = feature_of(self.flip_if).at(reading)
        return at is not None, at

    def _may_flip(self, outcome: Outcome) -> bool:
        return outcome.is_exposed or (self.flip_unanswered and outcome is Outcome.UNANSWERED)
