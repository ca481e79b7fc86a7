"""OpenRLHF. The plain URL needs no code, and gives up after 5 tries:

    --reward.remote_url 'http://127.0.0.1:8000/score/flip?flip_prob=0.4'

This reward function sends the same and outlasts a restart of the server:

    export REWARD_URL='http://127.0.0.1:8000/score/flip?flip_prob=0.4'
    --reward.remote_url "$(python -c 'import trainer_client.adapters.openrlhf as m; print(m.__file__)')"

Neither carries a step: visits travel in label objects, `{"ground_truth": "4", "visit": 1}`, and evaluation rows say
`"flip": false` there. What could not be scored is paid `fallback_reward`, and `extra_logs.unscored` is 1: OpenRLHF
swallows what a reward function raises and crashes later, without the reason.
"""

from __future__ import annotations

from typing import Any

from trainer_client._fixed_noise import flipped_in, has_visit, is_renewed, warn
from trainer_client._messages import label_texts_only
from trainer_client.adapters._shared import sync_client


def reward_func(queries: list[str], prompts: list[str], labels: list[Any]) -> dict[str, Any]:
    """`rewards`, `scores` and `extra_logs` as the server's OpenRLHF dialect gives them: lists of floats."""
    return reward_from(None, queries, prompts, labels)


def reward_from(url: str | None, queries: list[str], prompts: list[str], labels: list[Any]) -> dict[str, Any]:
    """The same from another URL than REWARD_URL's, for a reward function of one's own: `partial(reward_from, url)`."""
    labels = [label_texts_only(label) for label in labels]
    body: dict[str, object] = {"query": queries, "prompts": prompts, "labels": labels}
    client = sync_client(url, adapter="openrlhf")
    reply: dict[str, Any] = client.post(body)
    if is_renewed(client.url):
        warn("openrlhf", flipped_in(reply.get("extra_logs", {})), map(has_visit, labels))
    return reply
