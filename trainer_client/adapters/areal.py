"""AReaL. In the configuration of the workflow:

    RLVRWorkflow(reward_fn="trainer_client.adapters.areal.reward_fn", ...)

and REWARD_URL set for the workers; or in Python, with another URL:

    functools.partial(reward_fn, reward_url="http://127.0.0.1:8000/score/verifier")

The ground truth is the row's `ground_truth`, `solution`, `answer`, `expected_answer` or `label`, the first that there
is; `group`, `visit` and `flip` (evaluation: `flip` false) are sent too. AReaL takes a number and
nothing else, so what could not be scored is paid `fallback_reward` with a warning in the log. It gives a call 15 s,
waiting for a worker process included, and after 4 tries pays 0 without a word. So this one raises after 13 s, and at
once when the server asks to be left alone for longer; AReaL logs that and puts another rollout in the place of this
one. But while the server is gone, calls that wait in AReaL's own queue can still end as 0: its log says
`Computing reward timeout`.
"""

from __future__ import annotations

from typing import Any

from trainer_client.adapters._shared import OnUnscored, ground_truths_of, one_sample, one_text, paid, sync_client
from trainer_client.adapters._tally import count

DEADLINE_S = 13.0
"""Below AReaL's 15 s, which also cover the start of a worker process and this module's import."""


def reward_fn(
    prompt: str,
    completions: str,
    prompt_ids: list[int] | None = None,
    completion_ids: list[int] | None = None,
    *,
    reward_url: str | None = None,
    on_unscored: OnUnscored = "fallback",
    **row: Any,
) -> float:
    """The reward of one sample; `completions` is one text, whatever its name.

    An error is not held back until the 13 s are over: worker processes are few, and one that sleeps keeps others' calls
    in the queue past their 15 s, which AReaL pays 0.
    """
    completion, ground_truths = one_text("completions", completions), ground_truths_of(row)
    client = sync_client(reward_url, DEADLINE_S, adapter="areal")
    rewards = client.score([completion], **one_sample(prompt, ground_truths, row))
    count(rewards)
    (reward,) = paid(rewards, client.url.fallback_reward, on_unscored)
    return reward
