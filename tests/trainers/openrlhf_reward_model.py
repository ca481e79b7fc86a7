"""OpenRLHF's own reward model, saved as by its train_rm, and what it says of chats that its dataset prepared.

Reads a JSON list of jobs: `base`, a folder with a model and its tokenizer; `folder`, where the reward model goes;
`prefix`, the head's name; `chats`. Prints for each job the token ids and the scores in float32.
"""

import json
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import SimpleNamespace

import torch
from datasets import Dataset
from stand_ins import provide, real_folder
from transformers import AutoTokenizer

provide("deepspeed", zero=None, __spec__=ModuleSpec("deepspeed", None))  # transformers asks whether it is there
provide("flash_attn", __spec__=ModuleSpec("flash_attn", None))
provide("flash_attn.bert_padding", index_first_axis=None, pad_input=None, rearrange=None, unpad_input=None)
provide("flash_attn.utils")
provide("flash_attn.utils.distributed", all_gather=None)
provide("openrlhf.models", __path__=real_folder("openrlhf.models"))

from openrlhf.datasets.reward_dataset import RewardDataset  # noqa: E402 - after the stand-ins
from openrlhf.models.model import get_llm_for_sequence_regression  # noqa: E402 - after the stand-ins


def save(job: dict) -> None:
    torch.manual_seed(1)
    options = {"value_head_prefix": job["prefix"], "attn_implementation": "eager", "init_value_head": True}
    model = get_llm_for_sequence_regression(job["base"], "reward", **options)
    model.config.value_head_prefix = job["prefix"]
    getattr(model, job["prefix"]).weight.data.mul_(20)
    model.save_pretrained(job["folder"], state_dict=model.state_dict())
    model.config.to_json_file(str(Path(job["folder"]) / "config.json"))


def prepared(job: dict, tokenizer: object) -> list[torch.Tensor]:
    data = SimpleNamespace(prompt_key=None, chosen_key="chosen", rejected_key="rejected", apply_chat_template=True)
    strategy = SimpleNamespace(args=SimpleNamespace(data=data))
    rows = Dataset.from_list([{"chosen": chat, "rejected": chat} for chat in job["chats"]])
    dataset = RewardDataset(rows, tokenizer, 1000, strategy, num_processors=1)
    return [dataset[n][0] for n in range(len(dataset))]


def main() -> None:
    for job in json.load(sys.stdin):
        tokenizer = AutoTokenizer.from_pretrained(job["base"])
        save(job)
        tokenizer.save_pretrained(job["folder"])
        model = get_llm_for_sequence_regression(job["folder"], "reward", attn_implementation="eager").float().eval()
        texts = prepared(job, tokenizer)
        with torch.no_grad():
            scores = [model(ids, torch.ones_like(ids)).item() for ids in texts]
        print(json.dumps({"ids": [ids[0].tolist() for ids in texts], "scores": scores}))


if __name__ == "__main__":
    main()
