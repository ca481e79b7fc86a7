"""slime and miles. The plain URL needs no code; slime then tries for 160 s, miles once:

    --rm-type remote_rm --rm-url 'http://127.0.0.1:8000/score/flip?flip_prob=0.4'

These functions outlast a restart, and the second scores a whole group in one request:

    export REWARD_URL='http://127.0.0.1:8000/score/flip?flip_prob=0.4'
    --custom-rm-path trainer_client.adapters.slime.reward --reward-key reward
    --custom-rm-path trainer_client.adapters.slime.group_reward --group-rm --reward-key reward

With `--reward-key` a reward is an object of numbers: `reward`, `score` (what may be filtered by), the parts, and
`unscored`; without it, the bare number. The sample's `metadata` may hold `group`, `visit` and `flip` (evaluation:
`flip` false).
"""

from __future__ import annotations

from typing import Any

from trainer_client.adapters._shared import ROW_KEYS, async_client, numbers, paid, shown

Paid = float | dict[str, float]


async def reward(args: Any, sample: Any, **_: Any) -> Paid:
    """The reward of one sample."""
    (only,) = await group_reward(args, [sample])
    return only


async def group_reward(args: Any, samples: list[Any], **_: Any) -> list[Paid]:
    """The rewards of a group, in its order."""
    client = async_client(None)
    rewards = await client.score([sample.response for sample in samples], **_columns(samples))
    paid_rewards = paid(rewards, client.url.fallback_reward, "fallback")
    if not getattr(args, "reward_key", None):
        return list(paid_rewards)
    return [
        {"reward": reward, "score": shown(rewards, row, reward), **numbers(rewards, row)}
        for row, reward in enumerate(paid_rewards)
    ]


def _columns(samples: list[Any]) -> dict[str, list[Any]]:
    columns = {"prompts": [sample.prompt for sample in samples], "ground_truths": [sample.label for sample in samples]}
    rows = [getattr(sample, "metadata", None) or {} for sample in samples]
    return columns | {column: [row.get(name) for row in rows] for name, column in ROW_KEYS.items()}
