"""What every dialect renders: the scores of one request, and what the caller configured."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reward_server.errors import Unscored
from reward_server.rewards.plan import Plan
from reward_server.types import Outcome, Score

Echo = dict[str, Any]
"""What of a body its answer repeats; empty for most dialects. The body's bytes need not be kept while it is scored."""

to_json = json.JSONEncoder(allow_nan=False, check_circular=False).encode
"""ASCII, and NaN is a bug of ours: ValueError. A reply never holds itself. (json.dumps makes an encoder a call.)"""

DRAWS = frozenset({"flip_draw"})
"""Parts that are uniform draws. Trainers log means, and the mean of a draw says nothing."""

REASONS = {
    Outcome.UNGRADABLE: "the ground truth is unusable",
    Outcome.ERROR: "the server could not score it, and its log says why",
    Outcome.TOO_LONG: "it has more tokens than the reward model takes",
}
"""Why a sample has no reward."""


@dataclass(frozen=True)
class Reply:
    """The scores in request order, shape (N,)."""

    plan: Plan
    scores: Sequence[Score]

    @property
    def unscored(self) -> int:
        """How many samples have no reward: null, or the fallback."""
        return sum([score.reward is None for score in self.scores])

    def check(self) -> None:
        """Raises Unscored for the first sample without a reward, where the caller asked for that."""
        if self.plan.reward.unscored == "error":
            self._refuse_unscored("unscored=error")

    def chosen_rewards(self) -> list[float]:
        """Every reward, for a trainer that can neither carry a null nor be told of one beside it.

        Raises Unscored, unless `fallback_reward` stands in the URL or in the variant: the default would be a silent 0.
        """
        if "fallback_reward" not in self.plan.reward.model_fields_set:
            self._refuse_unscored("no fallback_reward is set")
        return [self.reward(score) for score in self.scores]

    def _refuse_unscored(self, why: str) -> None:
        if self.unscored:
            row = next(row for row, score in enumerate(self.scores) if score.reward is None)
            outcome = self.scores[row].outcome
            raise Unscored(
                f"{self.unscored} of {len(self.scores)} samples have no reward ({why}); sample {row}, from 0:"
                f" {REASONS[outcome]}",
                {"row": row, "outcome": outcome, "unscored": self.unscored},
            )

    def reward(self, score: Score) -> float:
        """The reward for a dialect that cannot carry a null."""
        return self.plan.reward.fallback_reward if score.reward is None else score.reward

    def shown(self, score: Score) -> float:
        """What the trainer may filter by, in 0 … 1."""
        return min(1.0, max(0.0, self.reward(score) if score.shown is None else score.shown))

    def numbers(self, score: Score) -> dict[str, float]:
        """What a trainer logs, as numbers, the same keys for each sample: it crashes on null, text and missing keys."""
        parts = {name: value for name, value in score.parts.items() if name not in DRAWS}
        return {**{name: 0.0 if value is None else value for name, value in parts.items()}, **self.flags(score)}

    def flags(self, score: Score) -> dict[str, float]:
        """What became of the sample, as numbers: of a reward model whether it had the format, too."""
        flags = {
            "unscored": float(score.reward is None),
            "unanswered": float(score.outcome is Outcome.UNANSWERED),
            "timeout": float(score.outcome is Outcome.TIMEOUT),
        }
        return {**flags, "bad_format": float(score.outcome is Outcome.BAD_FORMAT)} if "rm" in score.parts else flags
