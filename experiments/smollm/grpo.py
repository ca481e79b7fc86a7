"""One run: TRL's GRPOTrainer on the rewards of one arm, SmolLM2 under LoRA; in the trainers' environment.

    python -m experiments.smollm.grpo --base FOLDER --server URL --arm p=0.4 --seed 0 --steps 60 --falls-for 60 --out F

LoRA of rank 16 on the linear layers of the upper half of the model, in float32 beside weights in bfloat16. Adam, no KL.
A step has 16 questions of 4 samples: with noise, more questions are worth more than larger groups. On a machine with a
GPU it runs there.
"""

from __future__ import annotations

import argparse
from typing import Any

import torch
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import GRPOConfig

from experiments.lm.grpo import main, rows, trained
from experiments.smollm.arms import SMOLLM_ARMS
from experiments.smollm.task import questions

LONGEST = 32
TEMPERATURE = 0.7
"""At 1, so small a model is right in 9 of 100 samples, here in 30, and in 47 when it is greedy."""
LEARNING_RATE = 5e-4
TRAINED_LAYERS = range(15, 30)
"""No gradient has to reach the lower half, which saves a quarter of the work."""
LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
AT_ONCE = 8
"""Samples of one backward pass. All 64 at once, with LoRA on all layers, held 17 GB."""


def train(options: argparse.Namespace, folder: str) -> dict[str, Any]:
    """The result of the run, as `experiments.lm.grpo` has it."""
    words: Any = AutoTokenizer.from_pretrained(options.base, trust_remote_code=False)
    model: Any = AutoModelForCausalLM.from_pretrained(options.base, dtype=torch.bfloat16, trust_remote_code=False)
    # On a CPU a bfloat16 head copies its weights once a row where its input is a slice: 1.4 s where 5 ms are enough.
    model.get_output_embeddings().register_forward_pre_hook(lambda _, read: (read[0].contiguous(),))
    arm = SMOLLM_ARMS[options.arm]
    config = GRPOConfig(
        folder, use_cpu=not torch.cuda.is_available(), bf16=False, max_steps=options.falls_for,
        per_device_train_batch_size=AT_ONCE, gradient_accumulation_steps=arm.questions * arm.group // AT_ONCE,
        num_generations=arm.group,
        max_completion_length=LONGEST, temperature=TEMPERATURE, beta=0.0, scale_rewards="group",
        optim="adamw_torch", learning_rate=options.lr, lr_scheduler_type="linear", max_grad_norm=0.2, seed=options.seed,
        generation_kwargs={"use_cache": True},  # transformers' Trainer turns it off in the model's configuration
        gradient_checkpointing=False, dataloader_pin_memory=False,
        logging_steps=1, report_to=[], save_strategy="no", disable_tqdm=True,
    )  # fmt: skip
    lora = LoraConfig(
        r=16, lora_alpha=32, target_modules=list(LINEAR), layers_to_transform=list(TRAINED_LAYERS),
        task_type="CAUSAL_LM",
    )  # fmt: skip
    held_out, training = questions()
    return trained(options, config, model, words, arm, held_out, rows(training), peft_config=lora)


if __name__ == "__main__":
    main(SMOLLM_ARMS, train, __doc__, LEARNING_RATE)
