"""TRL's AsyncGRPO scores a group of rollouts with its own code, with and without a column `visit`. Prints JSON: the
samples' rewards for each, and what our client logs."""

import asyncio
import json
import logging
import warnings

from accelerate import PartialState

warnings.simplefilter("ignore")  # TRL's experimental modules say that they are
from trl.experimental.async_grpo.async_rollout_worker import RolloutGroup, TrainingSequence, _AsyncRolloutLoop  # noqa: E402

from trainer_client.adapters.trl import RewardFunction  # noqa: E402

COMPLETIONS = [r"so \boxed{4}", r"\boxed{5}", "no box"]


class Kept(logging.Handler):
    def __init__(self):
        super().__init__()
        self.messages = []

    def emit(self, record):
        self.messages.append(record.getMessage())


def group(**columns) -> RolloutGroup:
    size = len(COMPLETIONS)
    sequences = [[TrainingSequence([1, 2], [0, 1], [0.0, 0.0], rollout_id=i)] for i in range(size)]
    return RolloutGroup(
        prompts=[[{"role": "user", "content": "2+2?"}]] * size,
        reward_kwargs={"solution": ["4"] * size, **columns},
        completions=[[{"role": "assistant", "content": text}] for text in COMPLETIONS],
        completions_ids=[[1]] * size,
        completions_sequences=sequences,
        tool_call_counts=[0] * size,
        tool_failure_counts=[0] * size,
        model_version=5,
        group_id=0,
        env_rewards=[],
        rollout_rewards=[None] * size,
    )


def main() -> None:
    PartialState(cpu=True)
    kept = Kept()
    logging.getLogger("trainer_client").addHandler(kept)
    loop = _AsyncRolloutLoop.__new__(_AsyncRolloutLoop)  # its constructor wants vLLM
    function = RewardFunction()
    loop.reward_funcs, loop.reward_func_names, loop._env_reward_types = [function], ["reward_server"], []
    results = {}
    for name, columns in (("with_visits", {"visit": [7] * 3}), ("without", {})):
        samples = asyncio.run(loop._score_group(group(**columns)))
        results[name] = {"rewards": [sample.metrics["reward"] for sample in samples], "said": list(kept.messages)}
    print(json.dumps(results))


if __name__ == "__main__":
    main()
