"""NeMo-Gym and NeMo-RL. Gym starts its own servers, so this one is a proxy, `resources_servers/reward_server/app.py`:

    from trainer_client.adapters.nemo_gym import RewardServerProxy

    if __name__ == "__main__":
        RewardServerProxy.run_webserver()

with, in Gym's configuration:

    reward_server:
      resources_servers:
        reward_server:
          entrypoint: app.py
          domain: math
          reward_url: http://127.0.0.1:8000/score/flip?flip_prob=0.4

Without `reward_url`, REWARD_URL. The ground truth is the row's `ground_truth`, `expected_answer`, `answer` or `label`,
the first that there is; `group`, `visit` and `flip` (evaluation: `flip` false) are read from the row too. A sample that
could not be scored carries `_ng_failure_class`. verifiers and prime-rl need no proxy (docs/trainers.md).
"""

from __future__ import annotations

from typing import Any

from fastapi import Request
from nemo_gym.base_resources_server import BaseResourcesServerConfig, SimpleResourcesServer

from trainer_client.adapters._shared import async_client


class RewardServerConfig(BaseResourcesServerConfig):  # type: ignore[misc, unused-ignore]  # untyped
    """`deadline_s`: after which a rollout becomes an error; Gym itself never gives up."""

    reward_url: str | None = None
    deadline_s: float = 600.0


class RewardServerProxy(SimpleResourcesServer):  # type: ignore[misc, unused-ignore]  # untyped
    """Passes `/verify` on to the reward server, body and answer unchanged."""

    config: RewardServerConfig

    async def verify(self, request: Request) -> dict[str, Any]:
        """The row with its `reward` and the reward's parts."""
        client = async_client(self.config.reward_url, self.config.deadline_s)
        answer: dict[str, Any] = await client.post(await request.json(), "/verify")
        return answer
