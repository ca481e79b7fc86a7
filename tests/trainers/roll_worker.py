"""Our ROLL worker under ROLL's contract. ROLL is on no package index: its names stand in, its DataProto is verl's, of
which it is a copy. Prints JSON."""

import json
from types import SimpleNamespace

import numpy as np
import torch
from stand_ins import provide
from verl import DataProto

COMPLETIONS = [r"so \boxed{4}", r"\boxed{5}", "no box", r"\boxed{4}"]
TRUTHS = ["4", "4", '{"ground_truth": "4", "flip": false}', None]


class Worker:
    def __init__(self, worker_config):
        self.worker_config, self.rank_info = worker_config, SimpleNamespace(rank=1, world_size=2)


class Tokenizer:
    """A token is a character, 0 is padding."""

    def batch_decode(self, tokens, skip_special_tokens):
        return ["".join(chr(token) for token in row if token or not skip_special_tokens) for row in tokens.tolist()]


def encoded(texts: list) -> torch.Tensor:
    rows = [torch.tensor([ord(character) for character in text]) for text in texts]
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)


def batch(step: "int | None", with_prompt_column: bool) -> DataProto:
    columns = {"ground_truth": np.array(TRUTHS, dtype=object), "tag": np.array(["math"] * 4, dtype=object)}
    if with_prompt_column:
        columns["prompt"] = np.array(["2+2?"] * 4, dtype=object)
    return DataProto.from_dict(
        tensors={"responses": encoded(COMPLETIONS), "prompts": encoded(["2+2?"] * 4)},
        non_tensors=columns,
        meta_info={} if step is None else {"global_step": step},
    )


def main() -> None:
    for package in (
        "roll",
        "roll.distributed",
        "roll.distributed.executor",
        "roll.distributed.scheduler",
        "roll.models",
    ):
        provide(package, __path__=[])
    provide("roll.distributed.executor.worker", Worker=Worker)
    provide("roll.distributed.scheduler.protocol", DataProto=DataProto)
    provide(
        "roll.distributed.scheduler.decorator",
        Dispatch=SimpleNamespace(ONE_TO_ALL=1, DP_MP_COMPUTE=2),
        register=lambda **_: lambda function: function,
    )
    provide("roll.models.model_providers", default_tokenizer_provider=lambda model_args: Tokenizer())
    from trainer_client.adapters.roll import RewardServerWorker

    worker = RewardServerWorker(worker_config=SimpleNamespace(model_args=None))
    worker.initialize(None)
    results = []
    for step, with_prompt_column in ((5, True), (5, False), (None, True)):
        data = batch(step, with_prompt_column)
        rewards = worker.compute_rewards(data)
        data.union(rewards)  # as ROLL does with what comes back
        tensors = {name: [str(tensor.dtype), tensor.tolist()] for name, tensor in rewards.batch.items()}
        results.append({"shape": list(data.batch["responses"].shape), **tensors})
    print(json.dumps(results))


if __name__ == "__main__":
    main()
