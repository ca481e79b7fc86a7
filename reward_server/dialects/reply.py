"""What every dialect renders: the scores of one request, and what the caller configured."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import ConfigDict, with_config

from reward_server.errors import Unscored
from reward_server.rewards.plan import Plan
from reward_server.types import JoinedScore, Outcome, Score

only_these = with_config(ConfigDict(extra="forbid"))
"""Of a reply that is a TypedDict: it has no other fields. mypy holds `render` to it, and a test what is sent."""

Echo = dict[str, Any]
"""What of a body its answer repeats; empty for most dialects. The body's bytes need not be kept while it is scored."""

to_json = json.JSONEncoder(allow_nan=False, check_circular=False).encode
"""ASCII, and NaN is a bug of ours: ValueError. A reply never holds itself. (json.dumps makes an encoder a call.)"""

COMPONENTS = "components"
"""What stands before the name of a component, where parts and components are keys of one object."""
NOT_LOGGED = frozenset({"flip_draw", "reference", "reference_share"})
"""Parts of which a trainer's mean says nothing: uniform draws, and the second opinion, which most samples lack: as a
number its null would be a 0."""

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
            outcome, reason = self.scores[row].outcome, self.reason(self.scores[row])
            raise Unscored(
                f"{self.unscored} of {len(self.scores)} samples have no reward ({why}); sample {row}, from 0: {reason}",
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
        numbers = {name: score.parts[name] or 0.0 for name in self._logged}
        for name, value in self.components(score).items():
            numbers[f"{COMPONENTS}/{name}"] = value or 0.0
        return {**numbers, **self.flags(score)}

    def components(self, score: Score) -> Mapping[str, float | None]:
        """What the reward is the sum of, where it is made of others; else nothing."""
        return score.components if isinstance(score, JoinedScore) else {}

    @cached_property
    def component_names(self) -> tuple[str, ...]:
        """The same for every sample."""
        return tuple(self.components(self.scores[0])) if self.scores else ()

    @cached_property
    def _logged(self) -> tuple[str, ...]:
        """The parts that are numbers to take the mean of: the same for every sample."""
        return tuple(name for name in self.scores[0].parts if _last(name) not in NOT_LOGGED)

    @cached_property
    def _has_format(self) -> bool:
        return any(_last(name) == "rm" for name in self.scores[0].parts)

    def flags(self, score: Score) -> dict[str, float]:
        """What became of the sample, as numbers: of a reward model whether it had the format, too."""
        flags = {
            "unscored": float(score.reward is None),
            "unanswered": float(score.outcome is Outcome.UNANSWERED),
            "timeout": float(score.outcome is Outcome.TIMEOUT),
        }
        return {**flags, "bad_format": float(score.outcome is Outcome.BAD_FORMAT)} if self._has_format else flags

    def reason(self, score: Score) -> str:
        """Why a sample has no reward."""
        said = score.reason if isinstance(score, JoinedScore) else ""
        return said or REASONS[score.outcome]


def _last(name: str) -> str:
    """Of a part of a part its own name: `right/clean` is a `clean`."""
    return name.rpartition("/")[2]
