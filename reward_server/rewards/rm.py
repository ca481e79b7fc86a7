"""`rm`: the score of a reward model, lifted by RPR below a threshold.

    s = transform(model score), 0 if the format is invalid
    reward = s if s >= threshold, else min(1, s + alpha · rpr), on the grid

Source: Lv et al. 2025 (arXiv 2505.22653). A bad format has RPR 0 too, as published, and evaluation rows (`flip` False)
are paid s. Usually 0 … 1; with transform=identity as far as the model's scores go.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self

from pydantic import BeforeValidator, Field, model_validator

from reward_server.reward_model.answer_format import AnswerFormat
from reward_server.reward_model.engine import Mode
from reward_server.reward_model.labels import Choice
from reward_server.reward_model.request import ModelAnswer, ModelQuestion
from reward_server.reward_model.tokenizer import WhenTooLong
from reward_server.rewards.found import Found, Needs, asked
from reward_server.rewards.grid import calibrated, to_grid
from reward_server.rewards.reward import Reward, small_alpha
from reward_server.rewards.transform import Transform, transformed
from reward_server.types import Outcome, Sample, Score

LABELS = {"label", "label_weights"}


def _split(value: Any) -> Any:
    """Numbers from a query string."""
    return value.split(",") if isinstance(value, str) else value


class RmReward(Reward):
    """The score of a reward model, lifted by RPR below a threshold."""

    phrases: str = Field("open_ended", description="Phrase list: math, open_ended, or one named in rewards.toml.")
    alpha: float = Field(0.1, ge=0, description="A score below the threshold is lifted by alpha · RPR, to 1 at most.")
    threshold: float = Field(0.5, description="A score from here on is paid as it is.")
    monotone: bool = Field(
        False, description="Lift a score to the threshold at most. As published, RPR may lift it past a better one."
    )
    format: AnswerFormat = Field(
        "tags",
        description="A valid completion: `…</think> <answer>…</answer>` (tags), the rule of the"
        " paper's code (paper), `…</think> …` (think), or any (plain).",
    )
    transform: Transform = Field(
        "identity", description="Map of the model's score x: x, sigmoid(x), or sigmoid((x - mean) / sigma) (affine)."
    )
    mean: float = Field(0.0, description="affine: the model's score that becomes 0.5.")
    sigma: float = Field(1.0, gt=0, description="affine: the scale of the model's scores.")
    too_long: WhenTooLong = Field(
        "null", description="A text with more tokens than the model takes: no reward, or cut at that side."
    )
    mode: Mode = Field(
        "deterministic", description="Each text by itself, so that scores repeat bitwise, or several packed together."
    )
    label: int | None = Field(
        None, ge=0, description="Of a model with several labels: which is its score, counted from 0."
    )
    label_weights: Annotated[tuple[float, ...], BeforeValidator(_split)] | None = Field(
        None, description="Of a model with several labels: weights of their sum, separated by commas."
    )

    came_later: ClassVar[frozenset[str]] = Reward.came_later | LABELS
    counts_turns: ClassVar[bool] = False  # the authors' code for the reward model has no such term

    @classmethod
    def merged(cls, defaults: dict[str, object], given: Mapping[str, object]) -> dict[str, object]:
        """As for every reward; a label that is chosen in one way replaces the variant's in the other."""
        if LABELS & set(given):
            defaults = {key: value for key, value in defaults.items() if key not in LABELS}
        return super().merged(defaults, given)

    def lacks(self, sample: Sample) -> str | None:
        """A prompt."""
        return (
            None
            if sample.prompt is not None
            else "{name} needs a prompt (prompts, or in the label): row {row} has none"
        )

    def needs(self) -> Needs:
        """What the model says, and RPR."""
        choice = Choice(self.label, self.label_weights)
        return Needs(turn=self.turn, rpr=True, model=ModelQuestion(self.format, self.too_long, self.mode, choice))

    def warnings(self, sample: Sample) -> tuple[str, ...]:
        """An alpha that the grid swallows."""
        return small_alpha(self.alpha)

    def settle(self, sample: Sample, found: Found) -> Score:
        """The model's score, transformed and lifted; null where it gave none."""
        answer, rpr = asked(found.model), asked(found.rpr)
        if answer.value is not None:
            score = transformed(answer.value, self.transform, mean=self.mean, sigma=self.sigma)
            paid_rpr = rpr.value
        elif answer.outcome is Outcome.BAD_FORMAT:
            score = paid_rpr = 0.0
        else:
            parts: dict[str, float | None] = {"model_score": None, "rm": None, "rpr": rpr.value, "calibrated": None}
            return Score(answer.outcome, None, shown=None, parts=parts | self._labels(answer))
        alpha = self.alpha if sample.flip else 0.0
        value = calibrated(score, paid_rpr, threshold=self.threshold, alpha=alpha, monotone=self.monotone)
        reward = to_grid(value)
        parts = {"model_score": answer.value, "rm": score, "rpr": paid_rpr, "calibrated": value}
        return Score(answer.outcome, reward, shown=reward, parts=parts | self._labels(answer), unrounded=value)

    def _labels(self, answer: ModelAnswer) -> dict[str, float | None]:
        """How the labels differ, where one of them was chosen."""
        if self.label is None and self.label_weights is None:
            return {}
        found = answer.spread
        mean, least, std = (None,) * 3 if found is None else (found.mean, found.min, found.std)
        return {"label_mean": mean, "label_min": least, "label_std": std}

    @model_validator(mode="after")
    def _has_one_choice(self) -> Self:
        if self.label is not None and self.label_weights is not None:
            raise ValueError("give label, or label_weights, not both")
        return self
