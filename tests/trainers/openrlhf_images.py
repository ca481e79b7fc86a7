"""OpenRLHF reads prepared data with images and rolls it out as for a model that sees them: its own data set, its own
loading of images, its own executor, with a canned engine and a processor that expands an image into three tokens.

Arguments: the reward endpoint, then a JSONL file. Prints for each row the sizes of the images that the engine was given
(width, height), the prompt, the reward and the label.
"""

import asyncio
import json
import sys
from types import SimpleNamespace

import torch
from openrlhf.datasets import PromptDataset
from openrlhf.datasets.utils import blending_datasets
from openrlhf.utils.agent import SingleTurnAgentExecutor

PLACE, PAD = "<|image|>", "<|pad|><|pad|><|pad|>"


class Processor:
    """A token is a character; a content list becomes text with PLACE for each image."""

    image_processor = True

    def __call__(self, text, images=None, add_special_tokens=False, return_tensors="pt"):
        text = text[0] if isinstance(text, list) else text
        if images is not None:
            assert text.count(PLACE) == len(images), (text, images)
        pixels = {"pixel_values": torch.zeros(len(images), 1)} if images else {}
        return {"input_ids": torch.tensor([list(map(ord, text.replace(PLACE, PAD)))]), **pixels}

    def decode(self, ids, skip_special_tokens=False):
        return "".join(map(chr, ids))

    def apply_chat_template(self, messages, tokenize, add_generation_prompt):
        turns = (f"<|im_start|>{it['role']}\n{self._text(it['content'])}<|im_end|>\n" for it in messages)
        return "".join(turns) + "<|im_start|>assistant\n"

    def _text(self, content):
        if isinstance(content, str):
            return content
        return "".join(PLACE if part["type"] == "image" else part["text"] for part in content)


class Engine:
    """Answers 4, and notes the images that it was given."""

    def __init__(self):
        self.sizes = []

    async def generate(self, prompt_ids, params, multi_modal_data=None):
        self.sizes = [list(image.size) for image in (multi_modal_data or {"image": []})["image"]]
        ids = list(map(ord, r"</think> <answer>\boxed{4}</answer><|im_end|>"))
        return SimpleNamespace(outputs=[SimpleNamespace(token_ids=ids, finish_reason="stop", logprobs=None)])


async def main(endpoint: str, file: str) -> None:
    data = SimpleNamespace(input_key="input", label_key="label", image_key="images", apply_chat_template=True)
    strategy = SimpleNamespace(args=SimpleNamespace(data=data, use_ms=False), is_rank_0=lambda: False)
    strategy.print = lambda *_: None
    processor = Processor()
    dataset = PromptDataset(blending_datasets(file, None, strategy), processor, strategy)
    executor, params = SingleTurnAgentExecutor([endpoint]), SimpleNamespace(max_tokens=64, logprobs=None)
    for row in range(len(dataset)):
        _, prompt, label, images = dataset[row]
        engine = Engine()
        output = await executor.execute(prompt, label, params, 4096, processor, engine, images=images)
        label = json.loads(label)
        print(json.dumps({"sizes": engine.sizes, "prompt": prompt, "reward": output["reward"][0], "label": label}))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
