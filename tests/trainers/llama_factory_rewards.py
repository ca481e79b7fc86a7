"""LLaMA-Factory's own PPO trainer asks the URL for the rewards of prompts in its own templates.

Arguments: the URL, the templates with commas between them, then the responses, the same for each template. Prints a
JSON list, an entry a template. The trainer's class is made without its base classes (TRL's of 2024), and a token of the
tokenizer is a character.
"""

import json
import sys
from types import SimpleNamespace

import torch
from stand_ins import provide, real_folder

ROOT = real_folder("llamafactory")[0]
for folder in ("", "data", "extras", "train", "train/ppo"):
    provide(".".join(["llamafactory", *folder.split("/")]).rstrip("."), __path__=[f"{ROOT}/{folder}"])
provide("llamafactory.data.mm_plugin", get_mm_plugin=lambda *_, **__: None)
provide("llamafactory.extras.logging", get_logger=lambda _: None)
provide("llamafactory.extras.misc", **dict.fromkeys(
    ("AverageMeter", "count_parameters", "get_current_device", "get_logits_processor", "torch_gc")
))  # fmt: skip
provide("llamafactory.train.callbacks", FixValueHeadModelCallback=None, SaveProcessorCallback=None)
provide("llamafactory.train.trainer_utils", create_custom_optimizer=None, create_custom_scheduler=None)
provide("trl", __version__="0.9.6", PPOConfig=None, PPOTrainer=type("PPOTrainer", (), {}))
DECORATORS = SimpleNamespace(empty_device_cache=lambda: lambda method: method)
provide("trl.core", PPODecorators=DECORATORS, logprobs_from_logits=None)
provide("trl.models", __path__=[])
provide("trl.models.utils", unwrap_model_for_generation=None)

from llamafactory.data.template import TEMPLATES  # noqa: E402 - after the stand-ins
from llamafactory.train.ppo.trainer import CustomPPOTrainer  # noqa: E402 - after the stand-ins

BEGINNINGS = {"llama3": "<|begin_of_text|>", "gemma": "<bos>", "deepseekr1": "<｜begin▁of▁sentence｜>"}
"""What the models' tokenizers decode their first token to; `<s>` for the others."""


class Tokenizer:
    """A token is a character."""

    bos_token, bos_token_id, eos_token, eos_token_id = "\x02", 2, "\x03", 3

    def __init__(self, template):
        self.beginning = BEGINNINGS.get(template, "<s>")

    def encode(self, text, add_special_tokens):
        return [ord(character) for character in text]

    def batch_decode(self, rows, skip_special_tokens):
        assert not skip_special_tokens
        texts = ["".join(map(chr, row)) for row in rows]
        return [text.replace("\x02", self.beginning).replace("\x03", "</s>") for text in texts]


def rewarded(url: str, template: str, responses: tuple[str, ...]) -> dict:
    messages = [{"role": "user", "content": "What is 2+2? Wait, let me check."}, {"role": "assistant", "content": "4"}]
    tokenizer = Tokenizer(template)
    prompt, _ = TEMPLATES[template].encode_oneturn(tokenizer, messages, "Be brief.")
    queries = [torch.tensor(prompt)] * len(responses)
    trainer = SimpleNamespace(
        finetuning_args=SimpleNamespace(reward_model_type="api"), reward_model=url, tokenizer=tokenizer
    )
    try:
        answers = [torch.tensor([ord(character) for character in response], dtype=torch.long) for response in responses]
        return {"rewards": CustomPPOTrainer.get_rewards(trainer, queries, answers).tolist()}
    except Exception as error:  # noqa: BLE001 - whatever it is, the run would end here
        return {"error": f"{type(error).__name__}: {error}"}


def main(url: str, templates: str, *responses: str) -> None:
    print(json.dumps([rewarded(url, template, responses) for template in templates.split(",")]))


if __name__ == "__main__":
    main(*sys.argv[1:])
