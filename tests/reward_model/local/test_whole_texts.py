"""Models whose prompts cannot be shared: every text is read whole, in one pass, and scored as by the plain loop."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import make_tokenizer, token_ids, whole_text_score
from transformers import (
    AutoModelForSequenceClassification,
    Phi3Config,
    PretrainedConfig,
    Qwen3_5TextConfig,
    Qwen3NextConfig,
)

from reward_server.reward_model.engine import Group, Mode, ignore_batch
from reward_server.reward_model.loading import load_model
from reward_server.reward_model.local.model import TransformersModel
from reward_server.settings import Settings
from reward_server.types import Dtype

SIZES: dict[str, Any] = {
    "vocab_size": 512, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 4, "num_labels": 1,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 2048, "pad_token_id": 7,
    "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
LINEAR: dict[str, Any] = {
    "linear_num_value_heads": 4, "linear_num_key_heads": 2, "linear_key_head_dim": 16, "linear_value_head_dim": 16,
    "head_dim": 16,
}  # fmt: skip
EXPERTS: dict[str, Any] = {
    "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32, "shared_expert_intermediate_size": 32,
}  # fmt: skip
LONGROPE: dict[str, Any] = {
    "rope_type": "longrope", "rope_theta": 10000.0, "original_max_position_embeddings": 128, "factor": 16.0,
    "short_factor": [1.0] * 8, "long_factor": [2.0 + n / 4 for n in range(8)],
}  # fmt: skip
CONFIGS: dict[str, PretrainedConfig] = {
    "qwen3_next": Qwen3NextConfig(**SIZES, **LINEAR, **EXPERTS),
    "qwen3_5": Qwen3_5TextConfig(**SIZES, **LINEAR),
    "phi3 longrope": Phi3Config(**SIZES, rope_parameters=LONGROPE, original_max_position_embeddings=128),
}
LENGTHS = [(100, 20), (100, 90), (20, 260), (0, 300)]
"""(prompt, completion). The first is in the short range of the rotary embeddings, the others in the long one."""


@pytest.fixture(scope="module", params=CONFIGS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_config(CONFIGS[request.param])  # type: ignore[no-untyped-call]
    model.score.weight.data.mul_(20)
    path = tmp_path_factory.mktemp("whole")
    model.save_pretrained(path)
    make_tokenizer().save_pretrained(path)
    return path


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("bfloat16", 0.1)])
def test_scores_are_those_of_the_whole_text_whatever_is_beside_it(folder: Path, dtype: Dtype, tolerance: float) -> None:
    model = TransformersModel(folder, dtype=dtype, device="cpu", threads=1, packing="on")
    assert not model.can_share
    assert (model.config["chunk_tokens"], model.config["kernels"]) == ("whole text", "torch")
    assert "packing" not in model.config
    exact = []
    for p, c in LENGTHS:
        prompt, completion = token_ids(p, p), token_ids(c, c)
        exact.append(whole_text_score(folder, prompt + completion))
        alone = model.score([Group(prompt, [completion])]).results[0][0]
        assert alone == pytest.approx(exact[-1], abs=tolerance)
        company = [token_ids(40, 9), completion, token_ids(400, 3)]
        modes: tuple[Mode, ...] = ("deterministic", "throughput")
        for mode in modes:
            assert model.score([Group(prompt, company)], mode).results[0][1] == alone
    assert max(exact) - min(exact) > 0.5  # else the tolerances would say nothing


def test_its_texts_are_not_split_where_the_prompt_ends(folder: Path) -> None:
    settings = Settings(rm_model=folder, rm_dtype="float32", rm_device="cpu", rm_threads=1)
    loaded = load_model(settings, folder)

    async def body() -> None:
        async with loaded.opened(ignore_batch) as (model, _):
            encoded = await model.encode([{"role": "user", "content": "2 + 2?"}], "4")
            assert not encoded.prompt
            found = await model.score(encoded)
            assert found.value == pytest.approx(whole_text_score(folder, encoded.completion), abs=1e-5)

    asyncio.run(asyncio.wait_for(body(), 600))
