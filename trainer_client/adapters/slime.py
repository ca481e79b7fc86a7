"""slime and miles. The plain URL needs no code; slime then tries for 160 s, miles once:

    --rm-type remote_rm --rm-url 'http://127.0.0.1:8000/score/flip?flip_prob=0.4'

This function outlasts a restart, and scores a whole group, or the samples that a custom generation makes of one, in
one request:

    export REWARD_URL='http://127.0.0.1:8000/score/flip?flip_prob=0.4'
    --custom-rm-path trainer_client.adapters.slime.reward --reward-key reward
    --custom-rm-path trainer_client.adapters.slime.group_reward --group-rm --reward-key reward

With `--reward-key` a reward is an object of numbers: `reward`, `score` (what may be filtered by), the parts,
`unscored`, `unanswered` and `timeout`; without it, the bare number. The sample's `metadata` may hold `group`, `visit`,
`flip` (evaluation: `flip` false) and what `route` goes by: `source`, `data_source` or `datasource`. What could not be
scored is paid `fallback_reward`, with a warning in the log, and is marked `remove_sample`, which both trainers leave
out of the loss, though not out of the group's mean; with `unscored=error` in the URL the run ends instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from trainer_client.adapters._shared import ROW_KEYS, async_client, numbers, paid, shown, source_of

Paid = float | dict[str, float]


async def reward(args: Any, samples: Any, **_: Any) -> Any:
    """The reward of a sample, or the rewards of a list in its order, nested as that is: the shape of the question.

    Where generation makes several samples of one (turns, agents), slime asks for a list of them without `--group-rm`,
    also for an empty one, and with it for a list of lists; miles may ask for one sample where a group was promised.
    """
    flat = list(_flat(samples))
    return _shaped(samples, iter(await _paid(args, flat))) if flat else _shaped(samples, iter(()))


group_reward = reward
"""The same function: the name that configurations with `--group-rm` use."""


async def _paid(args: Any, samples: list[Any]) -> list[Paid]:
    client = async_client(None, adapter="slime")
    rewards = await client.score([sample.response for sample in samples], **_columns(samples))
    paid_rewards = paid(rewards, client.url.fallback_reward, "fallback")
    for row in rewards.unscored:
        samples[row].remove_sample = True
    if not getattr(args, "reward_key", None):
        return list(paid_rewards)
    return [
        {"reward": reward, "score": shown(rewards, row, reward), **numbers(rewards, row)}
        for row, reward in enumerate(paid_rewards)
    ]


def _flat(samples: Any) -> Iterator[Any]:
    if isinstance(samples, list | tuple):
        for each in samples:
            yield from _flat(each)
    else:
        yield samples


def _shaped(samples: Any, rewards: Iterator[Paid]) -> Any:
    if isinstance(samples, list | tuple):
        return [_shaped(each, rewards) for each in samples]
    return next(rewards)


def _columns(samples: list[Any]) -> dict[str, list[Any]]:
    columns = {"prompts": [sample.prompt for sample in samples], "ground_truths": [sample.label for sample in samples]}
    rows = [getattr(sample, "metadata", None) or {} for sample in samples]
    columns |= {column: [row.get(name) for row in rows] for name, column in ROW_KEYS.items()}
    return {**columns, "sources": sources} if any(sources := [source_of(row) for row in rows]) else columns
