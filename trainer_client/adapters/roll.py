"""ROLL. In the pipeline's configuration:

    rewards:
      math_rule:
        worker_cls: trainer_client.adapters.roll.RewardServerWorker
        model_args:
          model_name_or_path: ${reward_pretrain}
        system_envs:
          REWARD_URL: http://127.0.0.1:8000/score/flip?flip_prob=0.4
        tag_included: [deepmath_103k]
        world_size: 8

`model_args` names the tokenizer that decodes responses. The ground truth is the row's `ground_truth`, or the first of
`solution`, `answer`, `expected_answer`, `label` that is not null; `group`, `visit` and `flip` are sent where ROLL keeps
them, and travel in label objects otherwise. The visit is by default the batch's `global_step`. ROLL takes numbers in
half precision, exact for rewards of 0 … 2; what could not be scored is paid `fallback_reward`, with a warning in the
log.
"""

from __future__ import annotations

from typing import Any

from roll.distributed.executor.worker import Worker
from roll.distributed.scheduler.decorator import Dispatch, register
from roll.distributed.scheduler.protocol import DataProto
from roll.models.model_providers import default_tokenizer_provider

from trainer_client.adapters._shared import OnUnscored, paid, shown, sync_client, table, with_step
from trainer_client.adapters._tally import count


class RewardServerWorker(Worker):  # type: ignore[misc, unused-ignore]  # untyped
    """One of ROLL's reward workers; a batch is the rollouts of a prompt. To stop at a sample without a reward instead,
    subclass with `on_unscored = "raise"`."""

    on_unscored: OnUnscored = "fallback"

    def __init__(self, worker_config: Any) -> None:
        super().__init__(worker_config=worker_config)
        self.rank_info.dp_rank, self.rank_info.dp_size = self.rank_info.rank, self.rank_info.world_size
        self.tokenizer = default_tokenizer_provider(model_args=worker_config.model_args)

    @register(dispatch_mode=Dispatch.ONE_TO_ALL)  # type: ignore[untyped-decorator, unused-ignore]
    def initialize(self, pipeline_config: Any) -> None:
        """ROLL's own would load a model."""

    @register(dispatch_mode=Dispatch.DP_MP_COMPUTE, clear_cache=False)  # type: ignore[untyped-decorator, unused-ignore]
    def compute_rewards(self, data: Any) -> Any:
        """`response_level_rewards` and `scores` (what may be filtered by), each of shape (N,), and
        `token_level_rewards` of shape (N, T), 0 as ROLL's own workers leave them."""
        import torch

        responses = data.batch["responses"]
        completions = self._texts(responses)
        client = sync_client(None, adapter="roll")
        rewards = client.score(completions, **self._columns(data, len(completions)))
        count(rewards)
        paid_rewards = paid(rewards, client.url.fallback_reward, self.on_unscored)
        scores = [shown(rewards, row, reward) for row, reward in enumerate(paid_rewards)]
        return DataProto.from_dict(
            tensors={
                "token_level_rewards": torch.zeros_like(responses, dtype=torch.float16),
                "response_level_rewards": torch.tensor(paid_rewards, dtype=torch.float16),
                "scores": torch.tensor(scores, dtype=torch.float16),
            }
        )

    def _columns(self, data: Any, size: int) -> dict[str, Any]:
        rows, step = data.non_tensor_batch, data.meta_info.get("global_step")
        columns = table({"source": rows.get("tag"), **rows}, None)
        columns["prompts"] = rows["prompt"] if "prompt" in rows else self._texts(data.batch["prompts"])
        return with_step(columns, step, size)

    def _texts(self, tokens: Any) -> list[str]:
        texts: list[str] = self.tokenizer.batch_decode(tokens, skip_special_tokens=True)
        return texts
