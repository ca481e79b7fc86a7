"""GDPO of verl and of TRL on the components of a mix, by their own code. Prints verl's advantages and keys, and TRL's.

One group of four: right with style, right without, wrong with style, wrong without.
"""

import asyncio
import json
import os
import tempfile

import numpy as np
import torch
from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM
from trl import GRPOConfig, GRPOTrainer
from verl.trainer.ppo.core_algos import compute_gdpo_outcome_advantage

from trainer_client.adapters.trl import component_functions
from trainer_client.adapters.verl import compute_score

URL = os.environ["REWARD_URL"]
COMPLETIONS = [r"wait \boxed{4}", r"\boxed{4}", r"wait \boxed{5}", r"\boxed{5}"]
NAMES = ("verifier", "rpr")
KEYS = [f"components/{name}" for name in NAMES]


async def of_verl() -> dict:
    rows = [await compute_score("math", text, "4", {"group": "q"}) for text in COMPLETIONS]
    ones = torch.ones(4, 1)
    advantages, _ = compute_gdpo_outcome_advantage(
        token_level_rewards=torch.tensor([[row["score"]] for row in rows]),
        response_mask=ones,
        index=np.array(["q"] * 4),
        config={"gdpo_reward_keys": KEYS, "gdpo_reward_weights": [3.0, 1.0]},
        non_tensor_batch={key: np.array([row[key] for row in rows]) for key in rows[0]},
        batch={"prompts": ones, "attention_mask": torch.ones(4, 2, dtype=torch.long)},
    )
    return {"scores": [row["score"] for row in rows], "advantages": advantages.flatten().tolist()}


class Trainer(GRPOTrainer):
    """Prints the advantages, and what each function paid."""

    def _calculate_rewards(self, inputs, prompts, completions, completion_ids_list):
        paid = super()._calculate_rewards(inputs, prompts, COMPLETIONS, completion_ids_list)
        print(json.dumps({"paid": paid.tolist()}), flush=True)
        return paid

    def compute_loss(self, model, inputs, *args, **kwargs):
        print(json.dumps({"advantages": inputs["advantages"].flatten().tolist()}), flush=True)
        return super().compute_loss(model, inputs, *args, **kwargs)


def of_trl(folder: str) -> None:
    words = ["<pad>", "<eos>", "sum", "two"]
    made = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<pad>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", eos_token="<eos>", model_input_names=["input_ids", "attention_mask"]
    )
    model = Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=4, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
            num_key_value_heads=2, pad_token_id=0, eos_token_id=1, bos_token_id=None,
        )
    )  # fmt: skip
    config = GRPOConfig(
        folder, use_cpu=True, bf16=False, max_steps=1, per_device_train_batch_size=4, num_generations=4,
        max_completion_length=2, report_to=[], save_strategy="no", reward_weights=[3.0, 1.0],
        multi_objective_aggregation="normalize_then_sum", logging_steps=1, shuffle_dataset=False,
    )  # fmt: skip
    dataset = Dataset.from_dict({"prompt": ["sum two"], "solution": ["4"]})
    functions = component_functions(URL, *NAMES)
    trainer = Trainer(model, functions, config, dataset, processing_class=tokenizer)
    trainer.train()
    print(json.dumps({"logs": trainer.state.log_history[0]}), flush=True)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(of_verl())), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        of_trl(folder)
