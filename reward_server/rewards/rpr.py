"""`rpr`: pays for phrases of reasoning, whatever the answer. What RPR is: `reasoning.py`.

Without an answer 0, unless `require_answer` is off, as in the authors' code for mathematics. Range 0 … 1.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from reward_server.grading.places import Place
from reward_server.rewards.found import Found, Needs, asked
from reward_server.rewards.grid import to_grid
from reward_server.rewards.reward import ANSWER, Reward
from reward_server.types import Outcome, Sample, Score


class RprReward(Reward):
    """Pays for phrases of reasoning, whatever the answer."""

    require_answer: bool = Field(True, description="Pay 0 without an answer (authors' code for mathematics).")
    answer: Place = Field("box", description=ANSWER)

    came_later: ClassVar[frozenset[str]] = Reward.came_later | {"answer"}

    def needs(self) -> Needs:
        """RPR alone."""
        return Needs(place=self.answer, turn=self.turn, rpr=True)

    def settle(self, sample: Sample, found: Found) -> Score:
        """RPR on the grid."""
        rpr = asked(found.rpr)
        is_paid = found.reading.is_answered or not self.require_answer
        earned = rpr.value if is_paid else 0.0
        reward = to_grid(earned)
        parts: dict[str, float | None] = {
            "rpr": rpr.value,
            "hits": float(rpr.hits),
            "repetition": rpr.repetition,
            "user_turns": float(rpr.user_turns),
        }
        outcome = Outcome.SCORED if is_paid else Outcome.UNANSWERED
        return Score(outcome, reward, shown=reward, parts=parts, unrounded=earned)
