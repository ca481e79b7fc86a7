"""ms-swift. This file is the plugin:

    export REWARD_URL='http://127.0.0.1:8000/score/flip?flip_prob=0.4'
    swift rlhf --rlhf_type grpo --reward_funcs reward_server \\
        --external_plugins "$(python -c 'import trainer_client.adapters as m; print(m.__path__[0])')/ms_swift.py" ...

The ground truth is the dataset's column `ground_truth`, `solution`, `answer`, `expected_answer` or `label`, the first
that is not null in the row; the prompt is the messages before the completion. `trainer_state.global_step` is sent as
the visit unless the dataset has a column `visit`; columns `group` and `flip` are sent too (evaluation: `flip` false).
ms-swift pays 0 for None and keeps it in the group's mean, so a sample that could not be scored ends the training with
the reason; for `on_unscored="fallback"` register a subclass.

ms-swift logs the mean of every function, and nothing else of one. To see how many answers are right, missing or too
slow to grade, ask for functions that are trained on with weight 0:

    --reward_funcs reward_server reward_server_clean reward_server_unanswered reward_server_timeout \\
    --reward_weights 1 0 0 0

So is a component of a `mix`, in a file of one's own that stands after this one in --external_plugins (`--scale_rewards
gdpo` normalises each by itself; they are weighted already, and their sum is the reward):

    class Style(Component):
        component = "style"

    orms["style"] = Style                            # --reward_funcs reward_server style --reward_weights 0 1
"""

from __future__ import annotations

from typing import Any, ClassVar

from swift.rewards import ORM, orms

from trainer_client import BadConfiguration, RewardClient, Rewards
from trainer_client.adapters._shared import OnUnscored, numbers, paid, table, with_step
from trainer_client.adapters._tally import count


class RewardServer(ORM):  # type: ignore[misc, unused-ignore]  # untyped where ms-swift is installed
    """Sync: ms-swift runs async ones in a new event loop for each batch, so that every batch would connect anew."""

    on_unscored: OnUnscored = "raise"
    last: ClassVar[Rewards | None] = None
    """What the batch earned that was scored last in this process: ms-swift asks one function after the other."""

    def __init__(self, args: Any = None, **kwargs: Any) -> None:
        super().__init__(args, **kwargs)
        self._client = RewardClient(adapter="ms-swift")

    def __call__(
        self, completions: list[str], messages: list[list[dict[str, Any]]] | None = None, **columns: Any
    ) -> list[float]:
        """One reward for each completion. Raises Unscored, unless `on_unscored` says otherwise."""
        sent = table(columns, None)
        if messages is not None:
            sent["prompts"] = [conversation[:-1] for conversation in messages]
        state = columns.get("trainer_state")
        sent = with_step(sent, None if state is None else state.global_step, len(completions))
        rewards = self._client.score(completions, **sent)
        RewardServer.last = rewards
        count(rewards)
        return paid(rewards, self._client.url.fallback_reward, self.on_unscored)


def _last(completions: list[str], name: str) -> Rewards:
    rewards = RewardServer.last
    if rewards is None or len(rewards) != len(completions):
        raise BadConfiguration(f"{name} stands after reward_server in --reward_funcs")
    return rewards


class _Part(ORM):  # type: ignore[misc, unused-ignore]  # as above
    """A number that `reward_server` found of each completion. ms-swift logs the mean of every function, as
    `rewards/Unanswered/mean`, and with weight 0 it trains on none of it."""

    def __call__(self, completions: list[str], **_: Any) -> list[float]:
        name = type(self).__name__.lower()
        rewards = _last(completions, f"reward_server_{name}")
        return [numbers(rewards, row).get(name, 0.0) for row in range(len(rewards))]


class Component(_Part):
    """What one component of a `mix` adds to the reward; to be subclassed."""

    component: ClassVar[str]

    def __call__(self, completions: list[str], **_: Any) -> list[float]:
        rewards = _last(completions, self.component)
        if len(rewards) and self.component not in rewards.components:
            known = ", ".join(rewards.components) or "none: it is no mix"
            raise BadConfiguration(f"{rewards.reward} has no component {self.component!r}; it has {known}")
        return [value or 0.0 for value in rewards.components.get(self.component, [])]


class Clean(_Part):
    """Is the answer right?"""


class Unanswered(_Part):
    """There is no closed box: cut off, perhaps."""


class Timeout(_Part):
    """Grading exhausted its budget."""


orms["reward_server"] = RewardServer
orms.update({f"reward_server_{part.__name__.lower()}": part for part in (Clean, Unanswered, Timeout)})
