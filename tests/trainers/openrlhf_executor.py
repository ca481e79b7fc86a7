"""OpenRLHF's own executor with a canned engine. Argument: the reward endpoint, a URL or a .py file. Prints JSON."""

import asyncio
import json
import sys
from types import SimpleNamespace

import torch
from openrlhf.utils.agent import SingleTurnAgentExecutor

PROMPT = "<|im_start|>user\n2+2?<|im_end|>\n<|im_start|>assistant\n"
ROWS = [
    (r"so \boxed{4}<|im_end|>", "4"),
    (r"\boxed{5}<|im_end|>", '{"ground_truth": "5", "visit": 2}'),
    (r"\boxed{4}", ""),
]


class Tokenizer:
    """A token is a character."""

    def __call__(self, text, add_special_tokens=False, return_tensors="pt"):
        return {"input_ids": torch.tensor([[ord(character) for character in text]])}

    def decode(self, ids, skip_special_tokens=False):
        return "".join(map(chr, ids))


class Engine:
    def __init__(self, completion):
        self.completion = completion

    async def generate(self, prompt_ids, params, multi_modal_data=None):
        ids = [ord(character) for character in self.completion]
        return SimpleNamespace(outputs=[SimpleNamespace(token_ids=ids, finish_reason="stop", logprobs=None)])


async def main(endpoint: str) -> None:
    executor = SingleTurnAgentExecutor([endpoint])
    params = SimpleNamespace(max_tokens=64, logprobs=None)
    calls = (executor.execute(PROMPT, label, params, 4096, Tokenizer(), Engine(text)) for text, label in ROWS)
    outputs = await asyncio.gather(*calls)
    print(json.dumps([{key: output[key] for key in ("reward", "scores", "extra_logs")} for output in outputs]))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
