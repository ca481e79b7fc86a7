"""A reward as a URL chooses it, before its digest is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from reward_server.errors import InvalidRequest
from reward_server.rewards.recipe import Ingredient
from reward_server.rewards.reward import AnyReward


@dataclass(frozen=True)
class Chosen:
    """A reward with its parameters set. `parts`: those that it is made of. `ingredients`: what was said of them."""

    name: str
    reward: AnyReward
    parts: Mapping[str, Chosen] = field(default_factory=dict)
    ingredients: Mapping[str, Ingredient] = field(default_factory=dict)

    @property
    def leaves(self) -> int:
        """How many rewards are not made of others."""
        return sum(part.leaves for part in self.parts.values()) if self.parts else 1


def refuse_corrected(gate: str, parts: Mapping[str, Chosen], where: str) -> None:
    """A gate that is never paid 0 would never close. Raises InvalidRequest."""
    if gate and getattr(parts[gate].reward, "correction", "none") != "none":
        raise InvalidRequest(f"{where}gate={gate}: under its correction it is never paid 0, so it would never close")
