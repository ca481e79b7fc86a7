"""Reward models small enough to build in a test: real architectures, random weights, a tokenizer trained here."""

from __future__ import annotations

import random
from array import array
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoModelForSequenceClassification,
    Gemma2Config,
    LlamaConfig,
    MistralConfig,
    MixtralConfig,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
)

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
LLAMA3 = (
    "{{ bos_token }}{% for message in messages %}{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'"
    " + message['content'] | trim + '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
SPECIAL = [
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|begin_of_text|>", "<|eot_id|>", "<|start_header_id|>",
    "<|end_header_id|>", "<pad>",
]  # fmt: skip
CORPUS = ["What is the sum of two and three? The answer is five.", "Let me think: 12 + 30 = 42, so \\boxed{42}."] * 4

MakeFolder = Callable[..., Path]
"""`make_folder(kind, seed=…, tokenizer=…, **config)`: a saved reward model."""


def make_tokenizer(template: str | None = CHATML, **options: Any) -> PreTrainedTokenizerFast:
    """Byte-level BPE over everything, with the control tokens of ChatML and Llama 3."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    backend.train_from_iterator(CORPUS, trainer)
    options = {"bos_token": "<|begin_of_text|>", "eos_token": "<|im_end|>", "pad_token": "<pad>"} | options
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, **options)  # type: ignore[no-untyped-call]
    tokenizer.chat_template = template
    return tokenizer


CONFIGS: dict[str, type[PretrainedConfig]] = {
    "qwen2": Qwen2Config,
    "llama": LlamaConfig,
    "mistral": MistralConfig,
    "gemma2": Gemma2Config,
    "mixtral": MixtralConfig,
}


def make_config(kind: str = "qwen2", **options: Any) -> PretrainedConfig:
    options = {
        "vocab_size": 512, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_labels": 1,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 2048, "pad_token_id": 7,
    } | options  # fmt: skip
    return CONFIGS[kind](**options)


def new_model(kind: str = "qwen2", **options: Any) -> PreTrainedModel:
    """Random weights of the current seed."""
    model: PreTrainedModel = AutoModelForSequenceClassification.from_config(make_config(kind, **options))  # type: ignore[no-untyped-call]
    return model


def token_ids(length: int, seed: int) -> array[int]:
    """Reproducible ids of ordinary tokens, [length]."""
    chosen = random.Random(seed)
    return array("i", (chosen.randrange(8, 400) for _ in range(length)))


def whole_text_score(folder: Path, ids: Sequence[int]) -> float:
    """What the model itself says of one whole text, by the book: float32, no cache, read at the last token."""
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.inference_mode():
        hidden = model.base_model(input_ids=torch.tensor([list(ids)]), use_cache=False).last_hidden_state
        return float(model.score(hidden[0, -1]))


def save_model(folder: Path, **options: Any) -> Path:
    """A model with its tokenizer, in `folder`; the same weights every time."""
    torch.manual_seed(0)
    new_model(**options).save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    return folder
