"""One URL, understood."""

from __future__ import annotations

from dataclasses import dataclass

from reward_server.rewards.found import Needs
from reward_server.rewards.reasoning import PhraseList
from reward_server.rewards.reward import Reward


@dataclass(frozen=True, slots=True)
class Plan:
    """A reward with its parameters set, under the name that the URL gives it.

    `config`: 12 hex digits over all that can change a value.
    """

    name: str
    reward: Reward
    needs: Needs
    phrases: PhraseList
    config: str
