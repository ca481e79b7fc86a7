"""Decoder architectures of transformers, tiny and random, against an eager float32 loop over whole texts.

The loop is transformers' own model with its `eager` attention and without a cache: other code than the engine's
attention, cache, chunks and windows. The last hidden state is compared with the last of `hidden_states` too, which is
what value heads are trained on. So are the scores of the class's own pooling, which passes over padding at the end:
`ending.py` relies on that.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import token_ids
from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedModel

from reward_server.reward_model.engine import Group
from reward_server.reward_model.local.model import TransformersModel, cache_name

PAD = 7
SIZES: dict[str, Any] = {
    "vocab_size": 512, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 2048, "pad_token_id": PAD, "bos_token_id": 1,
    "eos_token_id": 2, "num_labels": 1,
}  # fmt: skip
HEADS_OF_16 = {"head_dim": 16}
WINDOW = {"sliding_window": 64}
EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32}
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "arcee": {},
    "bloom": {"n_layer": 2, "n_head": 4},
    "deepseek_v2": {
        "kv_lora_rank": 16, "q_lora_rank": 16, "qk_rope_head_dim": 8, "qk_nope_head_dim": 8, "v_head_dim": 16,
        "n_routed_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32, "first_k_dense_replace": 1,
        "n_group": 1, "topk_group": 1, "num_key_value_heads": 4,
    },
    "deepseek_v3": {
        "kv_lora_rank": 16, "q_lora_rank": 16, "qk_rope_head_dim": 8, "qk_nope_head_dim": 8, "v_head_dim": 16,
        "n_routed_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32, "first_k_dense_replace": 1,
        "n_group": 1, "topk_group": 1, "num_key_value_heads": 4,
    },
    "diffllama": {},
    "exaone4": WINDOW | {"sliding_window_pattern": 2},
    "falcon": {"num_kv_heads": 2, "new_decoder_architecture": True},
    "gemma": HEADS_OF_16,
    "gemma2": HEADS_OF_16 | WINDOW | {"attn_logit_softcapping": 2.0},
    "gemma3_text": HEADS_OF_16 | WINDOW,
    "glm": HEADS_OF_16,
    "glm4": HEADS_OF_16,
    "gpt2": {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 2048},
    "gpt_bigcode": {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 2048},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]], "num_heads": 4, "num_layers": 2, "window_size": 64},
    "gpt_neox": {},
    "gpt_oss": HEADS_OF_16 | WINDOW | {"num_local_experts": 4, "num_experts_per_tok": 2},
    "gptj": {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 2048, "rotary_dim": 16},
    "helium": HEADS_OF_16,
    "hunyuan_v1_dense": HEADS_OF_16,
    "jetmoe": {"kv_channels": 16, "num_local_experts": 4, "num_experts_per_tok": 2},
    "llama": {"rope_parameters": {
        "rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64,
    }},
    "ministral": HEADS_OF_16 | WINDOW,
    "minimax": HEADS_OF_16,
    "mistral": WINDOW,
    "mixtral": {"num_local_experts": 4},
    "mpt": {"d_model": 64, "n_heads": 4, "n_layers": 2, "max_seq_len": 2048},
    "nemotron": {},
    "olmo2": {},
    "olmo3": WINDOW,
    "opt": {"ffn_dim": 128, "word_embed_proj_dim": 64},
    "persimmon": {},
    "phi": {},
    "phi3": WINDOW,
    "phimoe": {"num_local_experts": 4},
    "qwen2": {"rope_parameters": {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0}},
    "qwen2_moe": EXPERTS | {"shared_expert_intermediate_size": 32},
    "qwen3": HEADS_OF_16,
    "qwen3_moe": HEADS_OF_16 | EXPERTS,
    "seed_oss": HEADS_OF_16,
    "smollm3": {"no_rope_layer_interval": 2},
    "stablelm": {},
    "starcoder2": WINDOW,
}  # fmt: skip
LENGTHS = ((0, 200), (100, 30), (100, 150), (40, 260))
"""(prompt, completion), around windows of 64."""


def saved(name: str, folder: Path) -> PreTrainedModel:
    torch.manual_seed(0)
    config = AutoConfig.for_model(name, **SIZES | ARCHITECTURES[name])
    model: PreTrainedModel = AutoModelForSequenceClassification.from_config(config)  # type: ignore[no-untyped-call]
    for parameter in model.base_model.parameters():
        parameter.data.mul_(1.5)  # transformers' first weights give nearly equal hidden states
    model.score.weight.data.mul_(10)  # type: ignore[union-attr, operator]
    model.save_pretrained(folder)
    eager: PreTrainedModel = AutoModelForSequenceClassification.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager"
    )
    eager.train(False)
    return eager


def by_hand(model: PreTrainedModel, ids: list[int]) -> float:
    with torch.inference_mode():
        out = model.base_model(input_ids=torch.tensor([ids]), use_cache=False, output_hidden_states=True)
        assert torch.equal(out.hidden_states[-1], out.last_hidden_state)
        score = float(model.score(out.last_hidden_state[0, -1]))  # type: ignore[operator]
        for end in ([], [PAD], [PAD, PAD]):
            pooled = model(input_ids=torch.tensor([ids + end]), use_cache=False).logits
            assert pooled.tolist() == [[pytest.approx(score, abs=2e-5)]]
        return score


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_an_architectures_scores_are_those_of_its_eager_loop(name: str, tmp_path: Path) -> None:
    eager = saved(name, tmp_path)
    model = TransformersModel(tmp_path, dtype="float32", device="cpu", threads=1)
    exact = []
    for p, c in LENGTHS:
        prompt, completion = token_ids(p, p), token_ids(c, c)
        exact.append(by_hand(eager, list(prompt + completion)))
        company = [token_ids(20, 9), completion, token_ids(170, 3)]
        score = model.score([Group(prompt, company)]).results[0][1]
        assert score == pytest.approx(exact[-1], abs=2e-5)
        assert model.score([Group(prompt, [completion])]).results[0][0] == score
        assert model.score([Group(prompt, company)], "throughput").results[0][1] == pytest.approx(score, abs=2e-5)
    assert max(exact) - min(exact) > 0.05  # else the tolerance would say nothing


class _Before(torch.nn.Module):
    def forward(self, input_ids: object, past_key_values: object = None) -> object: ...


class _Now(torch.nn.Module):
    def forward(self, input_ids: object, cache: object = None, **kwargs: object) -> object: ...


@pytest.mark.parametrize(("body", "name"), [(_Before(), "past_key_values"), (_Now(), "cache")])
def test_the_cache_goes_under_the_name_that_the_model_has_for_it(body: torch.nn.Module, name: str) -> None:
    assert cache_name(body) == name
