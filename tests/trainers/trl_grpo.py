"""TRL's GRPOTrainer on a CPU for three steps: a random one-layer Qwen2 whose words are answers, so that some are right.

Argument: `sync`, `async`, `path`, or `cut`, in which no box is ever closed. Prints a JSON line a call of the reward
function, and at the end one with the logs and the table of completions.
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

from trainer_client.adapters import trl as adapter

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


def tokenizer(kind: str) -> PreTrainedTokenizerFast:
    written = [word.rstrip("}") + str(i) if kind == "cut" and "{" in word else word for i, word in enumerate(WORDS)]
    words = Tokenizer(models.WordLevel({word: i for i, word in enumerate(written)}, unk_token="<pad>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", eos_token="<eos>")


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
    reward = {"sync": Sync, "async": Async, "cut": Sync}[kind]() if kind != "path" else path
    trainer = GRPOTrainer(model, reward, config, Dataset.from_dict(rows), processing_class=tokenizer(kind))
    trainer.train()
    tables = [pandas.read_parquet(file) for file in sorted(Path(folder).glob("completions/*.parquet"))]
    shown = [{name: column.to_json(orient="values") for name, column in table.items()} for table in tables]
    print(json.dumps({"logs": trainer.state.log_history, "tables": shown}), flush=True)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        main(sys.argv[1], folder)
