"""The rewards of the service. A new one is a file of this folder and a line here."""

from __future__ import annotations

from reward_server.rewards.flip import FlipReward
from reward_server.rewards.mix import MixReward
from reward_server.rewards.reward import AnyReward
from reward_server.rewards.rm import RmReward
from reward_server.rewards.rm_sim import RmSimReward
from reward_server.rewards.route import RouteReward
from reward_server.rewards.rpr import RprReward
from reward_server.rewards.verify import VerifierReward

REWARDS: dict[str, type[AnyReward]] = {
    "verifier": VerifierReward,
    "flip": FlipReward,
    "rpr": RprReward,
    "rm": RmReward,
    "rm_sim": RmSimReward,
    "mix": MixReward,
    "route": RouteReward,
}
