"""TRL. In Python, sync or async (the async one overlaps with other async reward functions):

    from trainer_client.adapters.trl import RewardFunction

    GRPOTrainer(..., reward_funcs=[RewardFunction("http://127.0.0.1:8000/score/flip?flip_prob=0.4")])

On the command line:

    export REWARD_URL='http://127.0.0.1:8000/score/flip?flip_prob=0.4'
    trl grpo --reward_funcs trainer_client.adapters.trl.reward_server ...

The ground truth is the dataset's column `ground_truth`, `solution`, `answer`, `expected_answer` or `label`, the first
that is not null in the row. `trainer_state.global_step` is sent as the visit unless the dataset has a column `visit`;
columns `group` and `flip` are sent too (evaluation: `flip` false). Of a conversation the last message of the assistant
is scored, with the reasoning that TRL parsed out of it. A sample that could not be scored is None: TRL leaves it out.
The means of the reward's parts are logged, `flip/clean` for the clean accuracy, and the share of `flip/unscored`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from trainer_client import AsyncRewardClient, BadBatch, RewardClient, Rewards
from trainer_client._json import as_column
from trainer_client._messages import joined_texts
from trainer_client.adapters._shared import table

LogMetric = Callable[[str, float], None]


class _RewardFunction:
    """TRL names the function's metrics by `__name__`: give each of several its own `name`."""

    def __init__(self, ground_truth_column: str | None, name: str) -> None:
        self.ground_truth_column = ground_truth_column
        self.__name__ = name

    def _request(self, prompts: list[Any], completions: list[Any], columns: Mapping[str, Any]) -> dict[str, Any]:
        sent = table(columns, self.ground_truth_column)
        state = columns.get("trainer_state")
        if "visits" not in sent and state is not None:
            sent["visits"] = [state.global_step] * len(completions)
        written = as_column("completions", completions)
        return {"completions": [_text(completion) for completion in written], "prompts": prompts, **sent}


class RewardFunction(_RewardFunction):
    """One entry of `reward_funcs`; picklable. `deadline_s`: after which an unreachable server ends the training."""

    def __init__(
        self,
        url: str | None = None,
        *,
        ground_truth_column: str | None = None,
        name: str = "reward_server",
        deadline_s: float = 600.0,
    ) -> None:
        super().__init__(ground_truth_column, name)
        self._client = RewardClient(url, deadline_s=deadline_s)

    def __call__(self, prompts: list[Any], completions: list[Any], **columns: Any) -> list[float | None]:
        """One reward for each completion, None where it could not be scored."""
        rewards = self._client.score(**self._request(prompts, completions, columns))
        return _logged(rewards, columns.get("log_metric"))


class AsyncRewardFunction(_RewardFunction):
    """The twin that TRL awaits; same arguments."""

    def __init__(
        self,
        url: str | None = None,
        *,
        ground_truth_column: str | None = None,
        name: str = "reward_server",
        deadline_s: float = 600.0,
    ) -> None:
        super().__init__(ground_truth_column, name)
        self._client = AsyncRewardClient(url, deadline_s=deadline_s)

    async def __call__(self, prompts: list[Any], completions: list[Any], **columns: Any) -> list[float | None]:
        """As `RewardFunction`."""
        rewards = await self._client.score(**self._request(prompts, completions, columns))
        return _logged(rewards, columns.get("log_metric"))


def reward_server(prompts: list[Any], completions: list[Any], **columns: Any) -> list[float | None]:
    """`RewardFunction()`, for `--reward_funcs`: all from REWARD_URL."""
    return _default()(prompts, completions, **columns)


@lru_cache(maxsize=1)
def _default() -> RewardFunction:
    return RewardFunction()


def _text(completion: Any) -> str:
    """What the policy wrote: the text itself, or the assistant's last message; a tool's message may come after it.

    With a `response_template` TRL hands over the reasoning apart from the content; rewards read it before the content.
    """
    if isinstance(completion, str):
        return completion
    if isinstance(completion, Mapping):
        raise BadBatch("completions: expected one text or conversation a sample, got the messages of one sample")
    written = [message for message in completion if message.get("role") == "assistant"]
    last = written[-1] if written else {}
    reasoning = joined_texts(last.get("reasoning_content") or last.get("thinking"))
    answer = joined_texts(last.get("content"))
    return f"<think>\n{reasoning}\n</think>\n{answer}" if reasoning else answer


def _logged(rewards: Rewards, log_metric: LogMetric | None) -> list[float | None]:
    if log_metric is not None and len(rewards):
        means = {name: rewards.mean(name) for name in rewards.parts}
        means["unscored"] = len(rewards.unscored) / len(rewards)
        for name, mean in means.items():
            if mean is not None:
                log_metric(f"{rewards.reward}/{name}", mean)
    return rewards.rewards
