"""The parameters of the four rewards: one model each, which is the query string, the OpenAPI page and the check.

A parameter that is unknown, given twice, or out of range is a 422 that names the valid ones.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class DialectParameters(BaseModel):
    """How the reply looks; changes no score."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    reply: Literal["number", "object"] = Field("number", description="slime: a bare number, or an object.")
    fallback_reward: float = Field(0.0, description="Paid where the dialect cannot carry a null.")
    unscored: Literal["fallback", "error"] = Field(
        "fallback", description="What could not be scored: null or fallback_reward, or a 422 for the whole request."
    )


class PhraseParameters(DialectParameters):
    """How RPR, the reasoning-pattern reward, reads a completion."""

    phrases: str = Field("math", description="Phrase list: math, open_ended, or one named in rewards.toml.")
    saturation: int = Field(20, ge=1, description="Distinct phrases that earn the whole reward (authors' code: 20).")
    repetition: Literal["paper", "coverage"] = Field("paper", description="Penalty for repeated 20-grams.")
    rpr_scope: Literal["all", "think"] = Field("all", description="Read all, or what precedes </think>.")


class RprParameters(PhraseParameters):
    """Pays for phrases of reasoning, whatever the answer."""

    require_answer: bool = Field(True, description="Pay 0 without a boxed answer (authors' code for mathematics).")


class VerifierParameters(PhraseParameters):
    """Is the final answer right?"""

    check: Literal["math", "string"] = Field("math", description="Mathematical, or the paper's string equality.")
    ordered: bool = Field(False, description="Must bare lists (1,1,0) have the ground truth's order?")
    alpha: float = Field(0.0, ge=0, description="Share of RPR paid for a wrong answer (rm: added below the threshold).")


class FlipParameters(VerifierParameters):
    """The verifier, lied to on purpose and reproducibly."""

    flip_prob: float | None = Field(None, ge=0, le=1, description="Chance that a clean score is turned.")
    false_positive_prob: float | None = Field(None, ge=0, le=1, description="Chance that a clean 0 pays 1.")
    false_negative_prob: float | None = Field(None, ge=0, le=1, description="Chance that a clean 1 pays 0.")
    seed: int = Field(0, description="Seed of the noise.")
    flip_scope: Literal["question", "sample"] = Field("question", description="What shares one flip.")
    flip_unanswered: bool = Field(False, description="Flip unanswered samples too.")
    correction: Literal["none", "backward"] = Field("none", description="Undo the noise in expectation.")

    @model_validator(mode="after")
    def _has_one_noise_level(self) -> Self:
        single = self.flip_prob is not None
        pair = (self.false_positive_prob is not None, self.false_negative_prob is not None)
        if single == any(pair) or (not single and not all(pair)):
            raise ValueError("give flip_prob, or both false_positive_prob and false_negative_prob")
        return self

    @model_validator(mode="after")
    def _is_correctable(self) -> Self:
        if self.correction == "backward" and sum(self.noise_rates) >= 1:
            raise ValueError(
                "correction=backward needs false_positive_prob + false_negative_prob < 1: at 1 and above the noisy"
                " reward says nothing, or the opposite"
            )
        if self.correction == "backward" and self.alpha > 0:
            raise ValueError(
                "correction=backward and alpha > 0 do not go together: RPR would be added to a corrected reward"
            )
        return self

    @property
    def noise_rates(self) -> tuple[float, float]:
        """(false positive, false negative): the chance that a clean 0, a clean 1, is turned."""
        if self.flip_prob is not None:
            return self.flip_prob, self.flip_prob
        assert self.false_positive_prob is not None and self.false_negative_prob is not None  # noqa: S101 - for mypy
        return self.false_positive_prob, self.false_negative_prob


class RmParameters(PhraseParameters):
    """A reward model, calibrated with RPR below a threshold."""

    phrases: str = Field("open_ended", description="Phrase list: math, open_ended, or one named in rewards.toml.")
    alpha: float = Field(0.1, ge=0, description="Share of RPR added below the threshold.")
    threshold: float = Field(0.5, description="Score from which the model is believed as it is.")
    monotone: bool = Field(False, description="Never lift a score past the threshold.")
    format: Literal["tags", "think", "plain"] = Field("tags", description="What a valid completion looks like.")
    transform: Literal["identity", "sigmoid", "affine"] = Field("identity", description="Map of the model's score.")
    mean: float = Field(0.0, description="affine: sigmoid((x - mean) / sigma).")
    sigma: float = Field(1.0, gt=0, description="affine: sigmoid((x - mean) / sigma).")
    too_long: Literal["null", "left", "right"] = Field("null", description="Null, or cut at that side.")
    mode: Literal["deterministic", "throughput"] = Field("deterministic", description="Repeatable, or several at once.")


RewardParameters = RprParameters | VerifierParameters | FlipParameters | RmParameters
PARAMETERS: dict[str, type[RprParameters | VerifierParameters | RmParameters]] = {
    "verifier": VerifierParameters,
    "flip": FlipParameters,
    "rpr": RprParameters,
    "rm": RmParameters,
}
