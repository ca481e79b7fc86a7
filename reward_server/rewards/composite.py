"""Rewards that are made of others: each part is settled by itself, then they are joined. What they are: `recipe.py`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence

from reward_server.rewards.found import Found, Joined, Needs
from reward_server.rewards.reward import AnyReward
from reward_server.types import Sample, Score


class Composite(AnyReward):
    """A reward made of others. Its `settle` gets a `Joined`."""

    def needs(self) -> Needs:
        """Nothing of its own: its parts ask."""
        return Needs()

    @property
    def tells_scores(self) -> bool:
        """Its reward is no score of a check."""
        return True

    @abstractmethod
    def rows(self, samples: Sequence[Sample]) -> dict[str, list[int]]:
        """Which of the samples each part is asked about, by the part's name, in ascending order."""

    def name_of(self, part: str, sample: Sample) -> str:
        """Under which name a sample has what the part said; of several that are the same, `rows` names the first."""
        return part


def scores_of(found: Found) -> Mapping[str, Score]:
    """What each part that was asked paid. Raises LookupError where no parts were."""
    if not isinstance(found, Joined):
        raise LookupError("a reward that is made of others is settled after them")
    return {name: derivation.score for name, derivation in found.parts.items()}


def components_of(name: str, score: Score) -> dict[str, float | None]:
    """What the reward is the sum of: of one that is not made of others, itself."""
    return dict(getattr(score, "components", {})) or {name: score.unrounded}
