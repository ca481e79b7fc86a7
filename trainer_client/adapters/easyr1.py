"""EasyR1. The file, and what to add to the command:

    EASYR1="$(python -c 'import trainer_client.adapters.easyr1 as m; print(m.__file__)')"
    worker.reward.reward_function="$EASYR1:compute_score"
    worker.reward.reward_function_kwargs.url='http://127.0.0.1:8000/score/flip?flip_prob=0.4'

or leave the last line out and set REWARD_URL for Ray's workers. The ground truth is the data set's column that
`data.answer_key` names. EasyR1 sends neither prompt nor row. So `flip` and `rm` need a label object in that column, or
its JSON text: `{"ground_truth": "4", "group": "q-17", "visit": 1}` for `flip`, whose evaluation rows say
`"flip": false`, and `{"ground_truth": "4", "prompt": "2+2?"}` for `rm`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trainer_client._messages import label_texts_only
from trainer_client.adapters._shared import OnUnscored, numbers, paid, shown, sync_client

REWARD_NAME = "reward_server"
REWARD_TYPE = "batch"


def compute_score(
    reward_inputs: Sequence[Mapping[str, Any]],
    *,
    url: str | None = None,
    on_unscored: OnUnscored = "fallback",
    deadline_s: float = 600.0,
) -> list[dict[str, float]]:
    """`overall` (the reward), `accuracy` (what may be filtered by), every part, `unscored`: the same keys for each.

    Raises Unavailable after `deadline_s`, and what else the client raises: the run then ends with the reason.
    """
    client = sync_client(url, deadline_s, adapter="easyr1")
    rewards = client.score(
        [row["response"] for row in reward_inputs],
        ground_truths=[label_texts_only(row["ground_truth"]) for row in reward_inputs],
    )
    return [
        {"overall": reward, "accuracy": shown(rewards, row, reward), **numbers(rewards, row)}
        for row, reward in enumerate(paid(rewards, client.url.fallback_reward, on_unscored))
    ]
