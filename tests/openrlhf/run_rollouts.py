"""Runs OpenRLHF's own SingleTurnAgentExecutor, in its own environment: rows as JSON on stdin, what it got on stdout.

Only what OpenRLHF is given from outside is made up: a tokenizer, of one token a character or of the tokenizers library
(`bpe` knows no newline and few symbols, `letters` not all letters, `words` puts a blank between words), a processor
that repeats an image's token, and an engine that "generates" the row's completion. The request, its retries and the
reading of the reply are OpenRLHF's.
"""

import asyncio
import json
import sys
from types import SimpleNamespace

import tokenizers
import torch
from openrlhf.utils.agent import SingleTurnAgentExecutor
from PIL import Image

SPECIAL = ["<unk>", "<|user|>", "<|assistant|>", "<|im_end|>", "<|image|>"]


class Tokenizer:
    def __call__(self, text, add_special_tokens, return_tensors):
        return {"input_ids": torch.tensor([[ord(character) for character in text]])}

    def decode(self, ids, skip_special_tokens):
        return "".join(map(chr, ids))


class RealTokenizer:
    """Of the tokenizers library, trained on `texts`."""

    def __init__(self, kind, texts):
        if kind == "letters":
            texts = [text.replace("What", "") for text in texts]
        if kind != "words":
            self.backend = tokenizers.Tokenizer(tokenizers.models.BPE())
            self.backend.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace()
            self.backend.decoder = tokenizers.decoders.Metaspace()
            trainer = tokenizers.trainers.BpeTrainer(special_tokens=SPECIAL, show_progress=False)
            texts = ["".join(c for c in text if c.isalnum() or c in " .\\{}") for text in texts]
        else:
            self.backend = tokenizers.Tokenizer(tokenizers.models.WordLevel(unk_token="<unk>"))
            self.backend.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
            trainer = tokenizers.trainers.WordLevelTrainer(special_tokens=SPECIAL, show_progress=False)
        self.backend.train_from_iterator(texts, trainer)

    def __call__(self, text, add_special_tokens, return_tensors):
        return {"input_ids": torch.tensor([self.backend.encode(text, add_special_tokens=False).ids])}

    def decode(self, ids, skip_special_tokens):
        return self.backend.decode(ids, skip_special_tokens=skip_special_tokens)


class Processor(Tokenizer):
    """A token is a character; the token of an image comes 256 times."""

    image_processor = True

    def __call__(self, text, add_special_tokens, return_tensors, images=None):
        text = text[0].replace("<|image|>", "<|image|>" * 256) if images else text
        return super().__call__(text, add_special_tokens, return_tensors)


def tokenizer_of(row):
    kind = row.get("tokenizer")
    if kind == "processor":
        return Processor()
    return RealTokenizer(kind, [row["prompt"], row["completion"]]) if kind else Tokenizer()


class Engine:
    def __init__(self, completion, tokenizer):
        self.completion = completion
        self.tokenizer = tokenizer

    async def generate(self, prompt_token_ids, sampling_params, multi_modal_data=None):
        ids = self.tokenizer(text=self.completion, add_special_tokens=False, return_tensors="pt")["input_ids"][0]
        output = SimpleNamespace(token_ids=ids.tolist(), finish_reason="stop", logprobs=None)
        return SimpleNamespace(outputs=[output])


async def rollout(executor, row):
    params = SimpleNamespace(max_tokens=64, logprobs=None)
    max_length = 64 + row.get("max_prompt_length", 10_000)
    tokenizer = tokenizer_of(row)
    engine = Engine(row["completion"], tokenizer)
    images = [Image.new("RGB", (8, 8))] if row.get("tokenizer") == "processor" else None
    got = await executor.execute(row["prompt"], row["label"], params, max_length, tokenizer, engine, images=images)
    return {"reward": got["reward"], "scores": got["scores"], "extra_logs": got["extra_logs"]}


async def main():
    executor = SingleTurnAgentExecutor(sys.argv[1])
    rows = json.load(sys.stdin)
    sys.stdout.write(json.dumps(await asyncio.gather(*(rollout(executor, row) for row in rows))))


asyncio.run(main())
