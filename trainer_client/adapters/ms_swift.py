"""ms-swift. This file is the plugin:

    export REWARD_URL='http://127.0.0.1:8000/score/flip?flip_prob=0.4'
    swift rlhf --rlhf_type grpo --reward_funcs reward_server \\
        --external_plugins "$(python -c 'import trainer_client.adapters as m; print(m.__path__[0])')/ms_swift.py" ...

The ground truth is the dataset's column `ground_truth`, `solution`, `answer`, `expected_answer` or `label`, the first
that is not null in the row; the prompt is the messages before the completion. `trainer_state.global_step` is sent as
the visit unless the dataset has a column `visit`; columns `group` and `flip` are sent too (evaluation: `flip` false).
ms-swift pays 0 for None and keeps it in the group's mean, so a sample that could not be scored ends the training with
the reason; for `on_unscored="fallback"` register a subclass.
"""

from __future__ import annotations

from typing import Any

from swift.rewards import ORM, orms

from trainer_client import RewardClient
from trainer_client.adapters._shared import OnUnscored, paid, table


class RewardServer(ORM):  # type: ignore[misc, unused-ignore]  # untyped where ms-swift is installed
    """Sync: ms-swift runs async ones in a new event loop for each batch, so that every batch would connect anew."""

    on_unscored: OnUnscored = "raise"

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
        if "visits" not in sent and state is not None:
            sent["visits"] = [state.global_step] * len(completions)
        rewards = self._client.score(completions, **sent)
        return paid(rewards, self._client.url.fallback_reward, self.on_unscored)


orms["reward_server"] = RewardServer
