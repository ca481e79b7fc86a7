"""Random reward models of Qwen2.5's shapes. Their numbers say nothing, their sizes are real."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import PreTrainedModel, Qwen2Config, Qwen2ForSequenceClassification

VOCABULARY = 8192
"""That of the tokenizer of `benchmarks.reward_model_http`. An embedding is read row by row: its size hardly counts."""

SHAPES = {
    "0.5B": (896, 24, 14, 2, 4864),
    "1.5B": (1536, 28, 12, 2, 8960),
    "7B": (3584, 28, 28, 4, 18944),
    "tiny": (64, 2, 4, 2, 128),
}
"""Hidden size, layers, heads, key heads, intermediate size."""


def config_of(size: str) -> Qwen2Config:
    hidden, layers, heads, key_heads, intermediate = SHAPES[size]
    config = Qwen2Config(
        vocab_size=VOCABULARY, hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=heads,
        num_key_value_heads=key_heads, intermediate_size=intermediate, max_position_embeddings=16384,
        pad_token_id=0, tie_word_embeddings=False, dtype="bfloat16",
    )  # fmt: skip
    config.num_labels = 1
    return config


def new_model(size: str, device: torch.device, *, attention: str = "sdpa", exact: bool = False) -> PreTrainedModel:
    """The same bfloat16 numbers each time; in float32 where `exact`. Scores spread over about 4."""
    config = config_of(size)
    config._attn_implementation = attention
    torch.manual_seed(7)
    torch.set_default_dtype(torch.bfloat16)
    with device:
        model: PreTrainedModel = Qwen2ForSequenceClassification(config)  # type: ignore[no-untyped-call]
    torch.set_default_dtype(torch.float32)
    with torch.no_grad():
        model.score.weight.normal_(0, 4 / config.hidden_size**0.5)  # type: ignore[union-attr,operator]
    for parameter in model.parameters():  # not `.to` of the module: it would round the rotary frequencies too
        parameter.data = parameter.data.to(torch.float32 if exact else torch.bfloat16)
    model.requires_grad_(False).train(False)
    return model


def folder_of(size: str, device: torch.device, out: Path) -> Path:
    """The model on disk, made when first asked for."""
    folder = out / f"model-{size}"
    if not (folder / "config.json").is_file():
        new_model(size, device).save_pretrained(folder)
    return folder


def flops(size: str, prompt: int, completion: int, group: int) -> float:
    """Of one group whose prompt is read once: the products of the layers, and those of causal attention."""
    hidden, layers, heads, key_heads, intermediate = SHAPES[size]
    a_token = 2 * hidden * (hidden * (2 + 2 * key_heads / heads) + 3 * intermediate)
    pairs = prompt**2 / 2 + group * (completion * prompt + completion**2 / 2)
    return layers * (a_token * (prompt + group * completion) + 4 * hidden * pairs)
