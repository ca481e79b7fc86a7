"""Attention of the tokens after a cached prompt, by PyTorch's causal kernel where that computes less.

That kernel skips what lies above the diagonal, but counts queries from the first key on, so behind a prompt
transformers passes a mask instead, and what the mask hides is computed. Here the prompt's places are filled with zero
queries, whose results are dropped: P prompt and T following tokens cost (P + T)² / 2 products instead of T · (P + T),
which is less while P < T. The choice follows from the lengths alone, so a text has one value.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from reward_server.reward_model.local.packed_attention import Segments, packed_attention
from reward_server.reward_model.local.process_wide import register_attention

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

NAME = "sdpa_after_prompt"


def use_causal_kernel(model: PreTrainedModel) -> bool:
    """True where the model took transformers' `sdpa`: it takes this from now on. Another implementation stays."""
    if model.config._attn_implementation != "sdpa":
        return False
    register_attention(NAME, _attention, _mask)
    model.set_attn_implementation(NAME)
    return True


def must_repeat_heads(device: torch.device, dtype: torch.dtype) -> bool:
    """True where PyTorch shares key heads between query heads only in the kernel that holds all products at once.

    On CUDA flash attention shares them too, but takes no float32, and no GPU before compute capability 8.0. The
    memory-efficient kernel takes both, and wants a key head for every query head.
    """
    import torch

    if device.type != "cuda":
        return False
    return dtype == torch.float32 or torch.cuda.get_device_capability(device) < (8, 0)


def _mask(*, q_length: int, kv_length: int, q_offset: int = 0, **options: Any) -> torch.Tensor | None:
    """None where `_attention` is to pad; else what `sdpa` gets. A window that a text outgrows needs its mask."""
    from transformers.masking_utils import sdpa_mask

    window = options.get("local_size")
    is_causal = options.get("allow_is_causal_skip", True) and options.get("attention_mask") is None
    if is_causal and 0 < q_offset < q_length and (window is None or kv_length < window):
        return None
    mask: torch.Tensor | None = sdpa_mask(q_length=q_length, kv_length=kv_length, q_offset=q_offset, **options)
    return mask


def _attention(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    segments: Segments | None = None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """[B, T, heads, D] of queries [B, heads, T, D] at the last T places of keys and values [B, kv heads, P + T, D].

    `segments`: those of a packed sequence, where B = 1 and P = 0.
    """
    if segments is not None:
        return packed_attention(query, key, value, segments, options)
    from torch.nn.functional import pad
    from transformers.integrations.sdpa_attention import repeat_kv, sdpa_attention_forward

    prompt = key.shape[2] - query.shape[2]
    if attention_mask is None and query.shape[2] > 1:
        query = pad(query, (0, 0, prompt, 0))
    else:
        prompt = 0
    groups = getattr(module, "num_key_value_groups", 1)
    if attention_mask is None and groups > 1 and must_repeat_heads(query.device, query.dtype):
        key, value = repeat_kv(key, groups), repeat_kv(value, groups)
        module = SimpleNamespace(is_causal=getattr(module, "is_causal", True))  # without groups, so none are asked for
    out, weights = sdpa_attention_forward(module, query, key, value, attention_mask, **options)
    return out[:, prompt:], weights
