"""`flip`: the verifier's score, inverted with a known probability and reproducibly. What is drawn, and how: `noise.py`.

    clean → flip → where the result is 0 and an answer was given, min(1, alpha · rpr) → grid

Evaluation rows (`flip` False) are paid the clean score: no noise and no RPR. Range 0 … 1, but for
`correction=backward`, which is unbounded. An unscored sample keeps its null through every step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self

from pydantic import Field, model_validator

from reward_server.rewards.found import Found, asked
from reward_server.rewards.grid import to_grid
from reward_server.rewards.noise import NoiseRates, backward_corrected, flip_draw, group_of_prompt, is_flipped
from reward_server.rewards.verify import VerifierReward, rpr_part
from reward_server.types import Message, Noise, Outcome, Sample, Score

RATES = {"flip_prob", "false_positive_prob", "false_negative_prob"}
FIXED = {
    "question": "no visit: this noise is fixed for each question; for more than one epoch send visits",
    "sample": "no visit: this noise is fixed for each completion of a question; for more than one epoch send visits",
}
"""What is said by scope, where a sample has no visit."""


class FlipReward(VerifierReward):
    """The verifier's score, inverted with a known probability and reproducibly."""

    flip_prob: float | None = Field(None, ge=0, le=1, description="Probability that a clean score is inverted.")
    false_positive_prob: float | None = Field(None, ge=0, le=1, description="Probability that a clean 0 is paid as 1.")
    false_negative_prob: float | None = Field(None, ge=0, le=1, description="Probability that a clean 1 is paid as 0.")
    seed: int = Field(0, description="Seed of the noise. Another seed is another draw for every question.")
    flip_scope: Literal["question", "sample"] = Field(
        "question", description="What shares one draw: all completions of one visit of a question, or equal ones only."
    )
    flip_unanswered: bool = Field(False, description="May noise invert unanswered samples too?")
    correction: Literal["none", "backward"] = Field(
        "none", description="backward: pay rewards whose mean over the noise is the clean score (below 0, above 1)."
    )

    @model_validator(mode="after")
    def _has_one_noise_level(self) -> Self:
        single = self.flip_prob is not None
        pair = (self.false_positive_prob is not None, self.false_negative_prob is not None)
        if single == any(pair) or (not single and not all(pair)):
            raise ValueError("give flip_prob, or both false_positive_prob and false_negative_prob")
        return self

    @model_validator(mode="after")
    def _is_correctable(self) -> Self:
        if self.correction == "none":
            return self
        if self.rates.false_positive_prob + self.rates.false_negative_prob >= 1:
            raise ValueError(
                "correction=backward needs false_positive_prob + false_negative_prob < 1: at 1 and above the noisy"
                " reward says nothing, or the opposite"
            )
        if self.alpha > 0:
            raise ValueError(
                "correction=backward and alpha > 0 do not go together: RPR would be added to a corrected reward"
            )
        return self

    @classmethod
    def merged(cls, defaults: dict[str, object], given: dict[str, str]) -> dict[str, object]:
        """As for every reward; a noise level given in one way replaces the variant's in the other."""
        if RATES & set(given):
            defaults = {key: value for key, value in defaults.items() if key not in RATES}
        return super().merged(defaults, given)

    @property
    def rates(self) -> NoiseRates:
        """How often a clean 0, a clean 1, is turned."""
        if self.flip_prob is not None:
            return NoiseRates(self.flip_prob, self.flip_prob)
        return NoiseRates(self.false_positive_prob or 0.0, self.false_negative_prob or 0.0)

    def lacks(self, sample: Sample) -> str | None:
        """A ground truth, or a key for the noise."""
        return super().lacks(sample) or _lacks_key(sample)

    def warnings(self, sample: Sample) -> tuple[str, ...]:
        """Noise that no visit renews, too."""
        said, rates = super().warnings(sample), self.rates
        is_noisy = sample.flip and max(rates.false_positive_prob, rates.false_negative_prob) > 0
        return (*said, FIXED[self.flip_scope]) if is_noisy and sample.visit is None else said

    def settle(self, sample: Sample, found: Found) -> Score:
        """The clean score, turned or not, then as for the verifier."""
        outcome = asked(found.verdict).outcome
        noise = self.noise(sample, outcome, found.reading.text)
        clean = outcome.clean
        noisy = 1.0 - clean if noise.flipped and clean is not None else clean
        parts: dict[str, float | None] = {"clean": clean, "flipped": float(noise.flipped), "flip_draw": noise.draw}
        if noisy is not None and noise.exposed and self.correction == "backward":
            reward: float | None = to_grid(backward_corrected(noisy, self.rates))
        else:
            reward = self.earned(noisy, outcome, found.rpr if sample.flip else None)
        return Score(outcome, reward, shown=noisy, parts={**parts, **rpr_part(found.rpr)}, noise=noise)

    def noise(self, sample: Sample, outcome: Outcome, text: str) -> Noise:
        """What is drawn for a sample, keyed by question and visit; `text`, its own turn, counts in scope `sample`."""
        group = sample.group if sample.group is not None else group_of_prompt(sample.prompt or "")
        keyed = text if self.flip_scope == "sample" else None
        visit = sample.visit or 0
        draw = flip_draw(seed=self.seed, group=group, visit=visit, completion=keyed)
        clean, rates = outcome.clean, self.rates
        exposed = sample.flip and self._may_flip(outcome)
        return Noise(
            seed=self.seed,
            group=group,
            visit=visit,
            scope=self.flip_scope,
            draw=draw,
            threshold=rates.of(clean),
            exposed=exposed,
            flipped=exposed and clean is not None and is_flipped(clean, draw, rates),
        )

    def _may_flip(self, outcome: Outcome) -> bool:
        return outcome.is_exposed or (self.flip_unanswered and outcome is Outcome.UNANSWERED)


def _lacks_key(sample: Sample) -> str | None:
    """All rows of one key share their noise: a blank one is a mistake, and would flip a whole data set at once."""
    if sample.group is not None and not sample.group.strip():
        return (
            "{name}: the group of row {row} is blank, and rows of one group share their noise;"
            " name the question, or leave the group out where there is a prompt"
        )
    if sample.group is None and not _asks_something(sample.prompt):
        return "{name} needs a group or a prompt, which its noise is keyed by: row {row} has neither"
    return None


def _asks_something(prompt: str | Sequence[Message] | None) -> bool:
    """False for no prompt, a blank one, and messages of which none has a content."""
    contents = [prompt] if isinstance(prompt, str) else [message.get("content") for message in prompt or ()]
    return any(content.strip() if isinstance(content, str) else content for content in contents)
