"""TRL. In Python, sync or async (the async one overlaps with other async reward functions):

    from trainer_client.adapters.trl import RewardFunction

    GRPOTrainer(..., reward_funcs=[RewardFunction("http://127.0.0.1:8000/score/flip?flip_prob=0.4")])

A `mix` may also be given component by component, for `multi_objective_aggregation="normalize_then_sum"` (GDPO). They
share one request, and are weighted already: their sum is the reward, and `reward_weights` weight what was normalised:

    GRPOTrainer(..., reward_funcs=component_functions("http://127.0.0.1:8000/score/blend", "right", "style"))

On the command line:

    export REWARD_URL='http://127.0.0.1:8000/score/flip?flip_prob=0.4'
    trl grpo --reward_funcs trainer_client.adapters.trl.reward_server ...

The ground truth is the dataset's column `ground_truth`, `solution`, `answer`, `expected_answer` or `label`, the first
that is not null in the row. `trainer_state.global_step` is sent as the step, and as the visit unless the dataset has a
column `visit`; columns `group` and `flip` are sent too (evaluation: `flip` false). Of a conversation the last message
of the assistant is scored, with the reasoning that TRL parsed out of it. A sample that could not be scored is None,
which GRPO, RLOO and AsyncGRPO leave out from TRL 1.6 on. Older ones, and online DPO and SDPO, pay 0 for it: there let
`on_unscored` be "raise", or "fallback", which pays the URL's `fallback_reward`.
The means of the reward's parts are logged, `flip/clean` for the clean accuracy, and the shares of `flip/unscored`,
`flip/unanswered` and `flip/timeout`. The table of completions (`log_completions`) gets each sample's outcome, clean
score, flip, and the server's configuration.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from trainer_client import AsyncRewardClient, BadBatch, BadConfiguration, RewardClient, Rewards
from trainer_client._json import as_column
from trainer_client._messages import joined_texts
from trainer_client.adapters._shared import OnUnscored, log, means, paid, table, with_step
from trainer_client.adapters._tally import count
from trainer_client.adapters._versions import older_version

LogMetric = Callable[[str, float], None]
LogExtra = Callable[[str, list[Any]], None]
NAME = "reward_server"


class _RewardFunction:
    """TRL names the function's metrics by `__name__`: give each of several its own `name`, and ours have it too."""

    def __init__(self, ground_truth_column: str | None, name: str, on_unscored: OnUnscored | None) -> None:
        self.ground_truth_column = ground_truth_column
        self.on_unscored = on_unscored
        self.__name__ = name

    def _request(self, prompts: list[Any], completions: list[Any], columns: Mapping[str, Any]) -> dict[str, Any]:
        sent = table(columns, self.ground_truth_column)
        state = columns.get("trainer_state")
        sent = with_step(sent, None if state is None else state.global_step, len(completions))
        written = as_column("completions", completions)
        return {"completions": [_text(completion) for completion in written], "prompts": prompts, **sent}

    def _log(self, rewards: Rewards, columns: Mapping[str, Any]) -> None:
        """The means to TRL's metrics, the samples to its table. A mean over no sample is left out, or NaN, which TRL
        leaves out, where the other ranks would wait for it."""
        prefix = rewards.reward if self.__name__ == NAME else self.__name__
        log_metric: LogMetric | None = columns.get("log_metric")
        log_extra: LogExtra | None = columns.get("log_extra")
        if log_metric is None:
            count(rewards)  # AsyncGRPO, and workers of axolotl
        elif len(rewards):
            for name, mean in means(rewards).items():
                if mean is not None or _waits_for_every_rank():
                    log_metric(f"{prefix}/{name}", math.nan if mean is None else mean)
        if log_extra is not None and len(rewards):
            for name, column in _table_columns(rewards).items():
                log_extra(f"{prefix}/{name}", column)

    def _paid(self, rewards: Rewards, fallback_reward: float) -> list[float | None]:
        if self.on_unscored is not None:
            return [*paid(rewards, fallback_reward, self.on_unscored)]
        if rewards.unscored and (installed := older_version("trl", 1, 6)):
            log.warning(
                '%d of %d samples have no reward, and TRL %s pays 0 for them; on_unscored="raise" ends the run instead',
                len(rewards.unscored), len(rewards), installed,
            )  # fmt: skip
        return rewards.rewards


class RewardFunction(_RewardFunction):
    """One entry of `reward_funcs`; picklable. `deadline_s`: after which an unreachable server ends the training."""

    def __init__(
        self,
        url: str | None = None,
        *,
        ground_truth_column: str | None = None,
        name: str = NAME,
        deadline_s: float = 600.0,
        on_unscored: OnUnscored | None = None,
    ) -> None:
        super().__init__(ground_truth_column, name, on_unscored)
        self._client = RewardClient(url, deadline_s=deadline_s, adapter="trl")
        self._last: tuple[dict[str, Any], Rewards] | None = None

    def __call__(self, prompts: list[Any], completions: list[Any], **columns: Any) -> list[float | None]:
        """One reward for each completion. One that could not be scored is None, unless `on_unscored` says otherwise."""
        rewards = self._answer(self._request(prompts, completions, columns), columns)
        return self._paid(rewards, self._client.url.fallback_reward)

    def scored(self, prompts: list[Any], completions: list[Any], columns: Mapping[str, Any]) -> Rewards:
        """What the batch earned; of the batch that was asked about last without another request."""
        request = {name: list(column) for name, column in self._request(prompts, completions, columns).items()}
        if self._last is None or self._last[0] != request:
            self._last = request, self._answer(request, columns)
        return self._last[1]

    def _answer(self, request: dict[str, Any], columns: Mapping[str, Any]) -> Rewards:
        rewards = self._client.score(**request)
        self._log(rewards, columns)
        return rewards


class AsyncRewardFunction(_RewardFunction):
    """The twin that TRL awaits; same arguments."""

    def __init__(
        self,
        url: str | None = None,
        *,
        ground_truth_column: str | None = None,
        name: str = NAME,
        deadline_s: float = 600.0,
        on_unscored: OnUnscored | None = None,
    ) -> None:
        super().__init__(ground_truth_column, name, on_unscored)
        self._client = AsyncRewardClient(url, deadline_s=deadline_s, adapter="trl")

    async def __call__(self, prompts: list[Any], completions: list[Any], **columns: Any) -> list[float | None]:
        """As `RewardFunction`."""
        rewards = await self._client.score(**self._request(prompts, completions, columns))
        self._log(rewards, columns)
        return self._paid(rewards, self._client.url.fallback_reward)


class ComponentFunction:
    """What one component of a `mix` adds to the reward. TRL asks one function after the other about the same batch."""

    def __init__(self, whole: RewardFunction, component: str) -> None:
        self._whole = whole
        self._component = component
        self.__name__ = component

    def __call__(self, prompts: list[Any], completions: list[Any], **columns: Any) -> list[float | None]:
        """One number for each completion, None where the sample has no reward. Raises BadConfiguration for a component
        that the reward has not."""
        rewards = self._whole.scored(prompts, completions, columns)
        if len(rewards) and self._component not in rewards.components:
            known = ", ".join(rewards.components) or "none: it is no mix"
            raise BadConfiguration(f"{rewards.reward} has no component {self._component!r}; it has {known}")
        column = rewards.components.get(self._component, [])
        return [None if reward is None else value or 0.0 for value, reward in zip(column, rewards.rewards, strict=True)]


def component_functions(url: str | None, *components: str, **options: Any) -> list[ComponentFunction]:
    """Entries of `reward_funcs`, one a component. `options`: as of `RewardFunction`, but `on_unscored`."""
    whole = RewardFunction(url, **options)
    return [ComponentFunction(whole, component) for component in components]


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


def _table_columns(rewards: Rewards) -> dict[str, list[Any]]:
    """What the table of completions shows of each sample, always the same columns for one reward."""
    parts: dict[str, list[Any]] = {name: rewards.parts[name] for name in ("clean", "flipped") if name in rewards.parts}
    return {"outcome": rewards.outcomes, **parts, "config": [rewards.config] * len(rewards)}


def _waits_for_every_rank() -> bool:
    """TRL before 1.14 gathers what its own rank logged: a name that one rank leaves out hangs all the others."""
    return bool(older_version("trl", 1, 14))
