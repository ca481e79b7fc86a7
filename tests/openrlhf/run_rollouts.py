"""Runs OpenRLHF's own SingleTurnAgentExecutor, in its own environment: rows as JSON on stdin, what it got on stdout.

Only what OpenRLHF is given from outside is made up: a tokenizer of one token a character, and an engine that
"generates" the row's completion. The request, its retries and the reading of the reply are OpenRLHF's.
"""

import asyncio
import json
import sys
from types import SimpleNamespace

import torch
from openrlhf.utils.agent import SingleTurnAgentExecutor


class Tokenizer:
    def __call__(self, text, add_special_tokens, return_tensors):
        return {"input_ids": torch.tensor([[ord(character) for character in text]])}

    def decode(self, ids, skip_special_tokens):
        return "".join(map(chr, ids))


class Engine:
    def __init__(self, completion):
        self.completion = completion

    async def generate(self, prompt_token_ids, sampling_params, multi_modal_data=None):
        output = SimpleNamespace(token_ids=[ord(c) for c in self.completion], finish_reason="stop", logprobs=None)
        return SimpleNamespace(outputs=[output])


async def rollout(executor, row):
    params = SimpleNamespace(max_tokens=64, logprobs=None)
    max_length = 64 + row.get("max_prompt_length", 10_000)
    engine = Engine(row["completion"])
    got = await executor.execute(row["prompt"], row["label"], params, max_length, Tokenizer(), engine)
    return {"reward": got["reward"], "scores": got["scores"], "extra_logs": got["extra_logs"]}


async def main():
    executor = SingleTurnAgentExecutor(sys.argv[1])
    rows = json.load(sys.stdin)
    sys.stdout.write(json.dumps(await asyncio.gather(*(rollout(executor, row) for row in rows))))


asyncio.run(main())
