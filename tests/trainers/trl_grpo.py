"""TRL's GRPOTrainer on a CPU for three steps: a random one-layer Qwen2 whose words are answers, so that some are right.

Argument: `sync`, `async`, `path`, or `cut`, in which no box is ever closed. Prints a JSON line a call of the reward
function, and at the end one with the logs and the table of completions.
Or `none`: the first of each group has no reward and the others are equal. Prints the advantages, which are 0 where TRL
leaves the first out, and whether our function says of this TRL that it does not.
"""

import json
import sys
import tempfile
from pathlib import Path

import pandas
from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM, set_seed
from trl import GRPOConfig, GRPOTrainer
from trl.trainer import utils

from trainer_client.adapters import trl as adapter
from trainer_client.adapters._versions import older_version

WORDS = ["<pad>", "<eos>", r"\boxed{4}", r"\boxed{5}", "wait", "sum", "two", "three"]


def report(kind: str, prompts: list, completions: list, columns: dict, rewards: list) -> list:
    record = {"kind": kind, "prompts": prompts, "completions": completions, "rewards": rewards}
    record["solution"], record["step"] = columns["solution"], columns["trainer_state"].global_step
    print(json.dumps(record), flush=True)
    return rewards


class Sync(adapter.RewardFunction):
    def __call__(self, prompts, completions, **columns):
        return report("sync", prompts, completions, columns, super().__call__(prompts, completions, **columns))


class Async(adapter.AsyncRewardFunction):
    async def __call__(self, prompts, completions, **columns):
        return report("async", prompts, completions, columns, await super().__call__(prompts, completions, **columns))


def path(prompts, completions, **columns):
    return report("path", prompts, completions, columns, adapter.reward_server(prompts, completions, **columns))


def first_is_none(prompts, completions, **columns):
    return [None, 1.0, 1.0, 1.0] * (len(prompts) // 4)


class Trainer(GRPOTrainer):
    """What 1.15 computes its loss with needs Triton: there the loss is 0, and all before it as it is."""

    def compute_loss(self, model, inputs, *args, **kwargs):
        if self.reward_funcs == [first_is_none]:
            advantages = inputs["advantages"].flatten().tolist()
            print(json.dumps({"advantages": advantages, "pays_0": older_version("trl", 1, 6)}), flush=True)
        if getattr(utils, "_ChunkedLogProbFunction", True) is None:
            return 0.0 * sum(parameter.sum() for parameter in model.parameters())
        return super().compute_loss(model, inputs, *args, **kwargs)


def tokenizer(kind: str) -> PreTrainedTokenizerFast:
    written = [word.rstrip("}") + str(i) if kind == "cut" and "{" in word else word for i, word in enumerate(WORDS)]
    words = Tokenizer(models.WordLevel({word: i for i, word in enumerate(written)}, unk_token="<pad>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<pad>", eos_token="<eos>",
        model_input_names=["input_ids", "attention_mask"],
    )  # fmt: skip


def main(kind: str, folder: str) -> None:
    set_seed(0)
    model = Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=len(WORDS), hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
            num_key_value_heads=2, pad_token_id=0, eos_token_id=1, bos_token_id=None,
        )
    )  # fmt: skip
    rows = {"prompt": ["sum two two", "sum two three"] * 4, "solution": ["4", None] * 4}  # None cannot be graded
    config = GRPOConfig(
        folder, use_cpu=True, bf16=False, max_steps=3, per_device_train_batch_size=8, num_generations=4,
        max_completion_length=6, logging_steps=1, report_to=[], save_strategy="no", learning_rate=1e-3, seed=0,
        log_completions=True,
    )  # fmt: skip
    rewards = {"sync": Sync, "async": Async, "cut": Sync, "path": lambda: path, "none": lambda: first_is_none}
    dataset = Dataset.from_dict(rows)
    trainer = Trainer(model, rewards[kind](), config, dataset, processing_class=tokenizer(kind))
    trainer.train()
    tables = [pandas.read_parquet(file) for file in sorted(Path(folder).glob("completions/*.parquet"))]
    shown = [{name: column.to_json(orient="values") for name, column in table.items()} for table in tables]
    print(json.dumps({"logs": trainer.state.log_history, "tables": shown}), flush=True)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        main(sys.argv[1], folder)
