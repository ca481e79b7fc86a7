"""verl. Add to the command:

    reward.custom_reward_function.path=pkg://trainer_client.adapters.verl
    reward.custom_reward_function.name=compute_score
    '+reward.custom_reward_function.reward_kwargs.url="http://127.0.0.1:8000/score/flip?flip_prob=0.4"'

or leave the last line out and set REWARD_URL for the workers. The ground truth is verl's own. For the managers `naive`,
`dapo` and `gdpo`. The prompt is `extra_info["raw_prompt"]`, which `naive` provides. With the others the question is
known by `extra_info["index"]`, with `data_source` and `extra_info["split"]`, unless `extra_info` holds a `group`.
`flip` needs one of them. `extra_info` may also hold `visit` and `flip` (evaluation: `flip` false).

Not for `rate_limited`: whatever this function raises, a wrong key too, that manager pays 0.0 with a line in the log,
and the run goes on. Nor for `remote`, which refuses async functions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainer_client.adapters._shared import OnUnscored, async_client, numbers, one_sample, one_text, paid, shown
from trainer_client.adapters._tally import count


async def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: Any,
    extra_info: Mapping[str, Any] | None = None,
    *,
    url: str | None = None,
    on_unscored: OnUnscored = "fallback",
    deadline_s: float = 280.0,
    **_: Any,
) -> dict[str, float]:
    """`score` (the reward), `acc` (what may be filtered by), every part, `unscored`, `unanswered`, `timeout`: the same
    keys for each sample.

    Raises Unavailable after `deadline_s`, which is below the 300 s of `rate_limited`, so that its log says why.
    """
    completion, row = one_text("solution_str", solution_str), extra_info or {}
    client = async_client(url, deadline_s, adapter="verl")
    row = {**row, "group": _group(data_source, row), "source": data_source}
    rewards = await client.score([completion], **one_sample(row.get("raw_prompt"), [ground_truth], row))
    count(rewards)
    (reward,) = paid(rewards, client.url.fallback_reward, on_unscored)
    return {"score": reward, "acc": shown(rewards, 0, reward), **numbers(rewards, 0)}


def _group(data_source: str, row: Mapping[str, Any]) -> Any:
    """What the row says, or else, where there is no prompt either, the number that verl's data sets give a question.

    That number counts from 0 in each data set and split, so it is no name without them.
    """
    group, index = row.get("group"), row.get("index")
    if group is not None or index is None or row.get("raw_prompt") is not None:
        return group
    return "/".join(str(part) for part in (data_source, row.get("split"), index) if part is not None)
