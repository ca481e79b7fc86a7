"""verl's reward managers, made by its own loader from its own configuration keys. Prints a JSON object by manager:

what it makes of all rows, or the name of what it raises. Arguments: the managers, with `/index` where the question is
known by its number.
"""

import asyncio
import json
import os
import sys

import numpy as np
import torch
from omegaconf import OmegaConf
from verl import DataProto
from verl.trainer.ppo.reward import load_reward_manager

URL = os.environ.pop("REWARD_URL")  # to be passed as an argument
ROWS = [(r"so \boxed{4}", "4"), (r"\boxed{5}", "4"), ("no box", "4"), (r"\boxed{4}", None)]


class Tokenizer:
    """A token is the number of a row."""

    def decode(self, ids, skip_special_tokens=True):
        return ROWS[int(ids[0])][0]


def config(manager: str):
    return OmegaConf.create(
        {
            "reward": {
                "custom_reward_function": {
                    "path": "pkg://trainer_client.adapters.verl",
                    "name": "compute_score",
                    "reward_kwargs": {"url": URL},
                },
                "reward_manager": {"source": "register", "name": manager},
            },
            "trainer": {"experiment_name": "test"},  # gdpo reads it
        }
    )


def sample(row: int, by_index: bool) -> DataProto:
    key = {"index": np.int64(7), "split": "train"} if by_index else {"group": "q"}
    prompt = np.empty(1, dtype=object)
    prompt[0] = [{"role": "user", "content": "2+2?"}]
    return DataProto.from_dict(
        tensors={"responses": torch.tensor([[row]]), "attention_mask": torch.ones(1, 2, dtype=torch.long)},
        non_tensors={
            "data_source": np.array(["math"], dtype=object),
            "reward_model": np.array([{"ground_truth": ROWS[row][1]}], dtype=object),
            "extra_info": np.array([{**key, "visit": np.int64(3)}], dtype=object),
            "tool_extra_fields": np.array([{"raw_prompt": prompt[0]}], dtype=object),
            "__num_turns__": np.array([2]),
        },
    )


def main() -> None:
    results = {}
    for manager in sys.argv[1:]:
        name, _, key = manager.partition("/")
        made = load_reward_manager(config(name), Tokenizer())

        async def all_rows(made=made, by_index=key == "index"):
            return await asyncio.gather(*(made.run_single(sample(row, by_index)) for row in range(len(ROWS))))

        try:
            results[manager] = made.loop.run_until_complete(all_rows())
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller compares its name
            results[manager] = type(error).__name__
    print(json.dumps(results))


if __name__ == "__main__":
    main()
