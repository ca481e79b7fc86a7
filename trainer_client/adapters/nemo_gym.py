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
the first that is not null; `group`, `visit` and `flip` (evaluation: `flip` false) are read from the row too. A sample
that could not be scored carries `_ng_failure_class`, and `mask_sample` for NeMo-RL, which leaves it out of the loss;
with `unscored=error` in the URL the request is refused instead. verifiers and prime-rl need no proxy
(docs/trainers/verifiers.md).
"""

from __future__ import annotations

from typing import Any, ClassVar

from fastapi import HTTPException, Request
from nemo_gym.base_resources_server import BaseResourcesServerConfig, SimpleResourcesServer

from trainer_client import RequestRefused
from trainer_client._fixed_noise import flipped_in, has_visit, is_renewed, warn
from trainer_client._rollout import without_ballast
from trainer_client.adapters._shared import GROUND_TRUTH_KEYS, async_client


class RewardServerConfig(BaseResourcesServerConfig):  # type: ignore[misc, unused-ignore]  # untyped
    """`deadline_s`: after which a rollout becomes an error; Gym itself never gives up."""

    REVERIFY_MODE: ClassVar[str] = "stateless"
    """A reward depends on the row and its rollout alone: `gym eval reverify` may ask again. Gym 0.4 does not ask."""
    reward_url: str | None = None
    deadline_s: float = 600.0


class RewardServerProxy(SimpleResourcesServer):  # type: ignore[misc, unused-ignore]  # untyped
    """Passes `/verify` on to the reward server; images and what else no reward reads stay here."""

    config: RewardServerConfig

    async def verify(self, request: Request) -> dict[str, Any]:
        """The row with its `reward` and the reward's parts. A refusal of the server is the answer's status."""
        client = async_client(self.config.reward_url, self.config.deadline_s, adapter="nemo-gym")
        row = await request.json()
        try:
            answer: dict[str, Any] = await client.post(without_ballast(row), "/verify")
        except RequestRefused as refusal:
            raise HTTPException(refusal.status, refusal.message) from None
        has_own = row.get("visit") is not None or any(has_visit(row.get(key)) for key in GROUND_TRUTH_KEYS)
        if is_renewed(client.url):
            numbers = {name: [value] for name, value in answer.items() if isinstance(value, float)}
            warn("nemo-gym", flipped_in(numbers), [has_own])
        return {**answer, **{key: row[key] for key in ("responses_create_params", "response") if key in row}}
