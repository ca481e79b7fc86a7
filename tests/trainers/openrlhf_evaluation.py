"""OpenRLHF reads prepared data, rolls out with a canned engine, asks the reward, and computes its evaluation metrics.

Its own code throughout: dataset loading, PromptDataset, executor, the making of experiences, the metrics. Arguments:
the endpoint, then JSONL files. A file's name says whether the policy's chat template is applied (`chat-…`). Prints for
each file the metrics, the labels, and the rewards of each prompt.
"""

import asyncio
import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import torch
from openrlhf.datasets import PromptDataset
from openrlhf.datasets.utils import blending_datasets
from openrlhf.utils.agent import SingleTurnAgentExecutor
from stand_ins import provide, real_folder
from torch.utils.data import DataLoader

provide("vllm", SamplingParams=None)
provide("openrlhf.utils.deepspeed", DeepspeedStrategy=None)
provide("openrlhf.trainer.ray", __path__=real_folder("openrlhf.trainer.ray"))
provide("openrlhf.trainer.ray.launcher", RayActorGroup=None)
provide("openrlhf.trainer.ppo_utils.experience_maker", RemoteExperienceMaker=None)
provide("openrlhf.trainer.ray.vllm_engine", batch_vllm_engine_call=None)

from openrlhf.trainer.ppo_trainer import compute_eval_metrics  # noqa: E402 - after the stand-ins
from openrlhf.trainer.ppo_utils.samples_generator import SamplesGenerator  # noqa: E402 - after the stand-ins

SAMPLES = 2
"""Rollouts of a prompt: a right one and one without an answer."""


class Tokenizer:
    """A token is a character; the chat template is ChatML's."""

    def __call__(self, text, add_special_tokens=False, return_tensors="pt"):
        return {"input_ids": torch.tensor([[ord(character) for character in text]])}

    def decode(self, ids, skip_special_tokens=False):
        return "".join(map(chr, ids))

    def apply_chat_template(self, messages, tokenize, add_generation_prompt):
        turns = (f"<|im_start|>{message['role']}\n{message['content']}<|im_end|>\n" for message in messages)
        return "".join(turns) + "<|im_start|>assistant\n"


class Engine:
    """A policy that adds: the last `a + b` of the prompt, right in sample 0 and silent in sample 1."""

    def __init__(self, sample: int):
        self.sample = sample

    async def generate(self, prompt_ids, params, multi_modal_data=None):
        first, second = re.findall(r"(\d+) \+ (\d+)", "".join(map(chr, prompt_ids)))[-1]
        total = int(first) + int(second)
        text = rf"it is </think> <answer>\boxed{{{total}}}</answer>" if self.sample == 0 else "I do not know"
        ids = [ord(character) for character in f"{text}<|im_end|>"]
        return SimpleNamespace(outputs=[SimpleNamespace(token_ids=ids, finish_reason="stop", logprobs=None)])


def loaded(path: str) -> PromptDataset:
    data = SimpleNamespace(input_key="input", label_key="label", apply_chat_template="chat-" in Path(path).name)
    strategy = SimpleNamespace(args=SimpleNamespace(data=data, use_ms=False), is_rank_0=lambda: False)
    strategy.print = lambda *_: None
    return PromptDataset(blending_datasets(path, None, strategy), Tokenizer(), strategy)


async def rolled_out(dataset: PromptDataset, endpoint: str) -> list:
    executor = SingleTurnAgentExecutor([endpoint])
    params = SimpleNamespace(max_tokens=64, logprobs=None)
    rows = [(dataset[row], sample) for row in range(len(dataset)) for sample in range(SAMPLES)]
    calls = (
        executor.execute(prompt, label, params, 4096, Tokenizer(), Engine(sample))
        for (_, prompt, label, _), sample in rows
    )
    return await asyncio.gather(*calls)


def evaluated(path: str, endpoint: str) -> dict:
    dataset = loaded(path)
    outputs = asyncio.run(rolled_out(dataset, endpoint))
    generator = SamplesGenerator.__new__(SamplesGenerator)
    samples = [generator._process_response_into_experience(output, max_len=4096) for output in outputs]
    metrics = compute_eval_metrics(DataLoader(dataset, 1, collate_fn=dataset.collate_fn), samples, SAMPLES)
    rewards = [output["reward"][0] for output in outputs]
    clean = [output["extra_logs"]["clean"][0] for output in outputs]
    return {
        "metrics": metrics,
        "labels": dataset.labels,
        "prompts": dataset.prompts,
        "rewards": rewards,
        "clean": clean,
    }


if __name__ == "__main__":
    for file in sys.argv[2:]:
        print(json.dumps(evaluated(file, sys.argv[1])))
