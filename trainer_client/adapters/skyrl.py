"""SkyRL. In the entry point, before the trainer starts:

    from skyrl_gym.envs import register

    register(id="reward_server", entry_point="trainer_client.adapters.skyrl:RewardServerEnv")

and in the configuration `environment.env_class=reward_server`, with REWARD_URL set for the workers. The ground truth is
the row's `reward_spec.ground_truth`, the prompt the one that SkyRL starts the episode with; the row may hold `group`,
`visit` and `flip` (evaluation: `flip` false). One step ends the episode. The metrics are the reward's parts,
`unscored`, `unanswered` and `timeout`; what could not be scored is paid `fallback_reward`, since SkyRL asserts that a
reward is no None.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from skyrl_gym.envs.base_text_env import BaseTextEnv, BaseTextEnvStepOutput

from trainer_client.adapters._shared import ground_truths_of, numbers, one_sample, one_text, paid, sync_client


class RewardServerEnv(BaseTextEnv):  # type: ignore[misc, unused-ignore]  # untyped where SkyRL is installed
    """`env_config` may hold `url`, by default REWARD_URL, and `on_unscored`, by default "fallback"."""

    def __init__(self, env_config: Mapping[str, Any] | None = None, extras: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        config = env_config or {}
        self._client = sync_client(config.get("url"), adapter="skyrl")
        self._on_unscored = config.get("on_unscored", "fallback")
        self._row = extras or {}
        self._prompt: Any = None
        self._metrics: dict[str, float] = {}

    def init(self, prompt: list[dict[str, str]]) -> tuple[list[dict[str, str]], dict[str, Any]]:
        """Keeps the prompt; SkyRL passes it here and nowhere else."""
        self._prompt = prompt
        return prompt, {}

    def step(self, action: str) -> BaseTextEnvStepOutput:
        """The reward of the whole completion."""
        completion = one_text("action", action)
        ground_truths = ground_truths_of(self._row.get("reward_spec") or {}, "ground_truth")
        rewards = self._client.score([completion], **one_sample(self._prompt, ground_truths, self._row))
        (reward,) = paid(rewards, self._client.url.fallback_reward, self._on_unscored)
        self._metrics = numbers(rewards, 0)
        return BaseTextEnvStepOutput(observations=[], reward=reward, done=True, metadata=dict(self._metrics))

    def get_metrics(self) -> dict[str, float]:
        """SkyRL averages these over its episodes."""
        return self._metrics
