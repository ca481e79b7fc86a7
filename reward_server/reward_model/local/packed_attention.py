"""Attention inside of a packed sequence: each segment's queries over its own keys and its prompt's.

On CUDA one call of PyTorch's flash attention for sequences of different lengths does all segments of a layer. It
computes a segment alike whatever stands beside it, where keys are not split over blocks: `num_splits=1` promises that
since PyTorch 2.12. Before, FlashAttention 2 splits them for calls whose longest segment is one query, and there is
always a longer one here. On a CPU the segments take turns.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

from reward_server.reward_model.local.packed_sequence import Layout

if TYPE_CHECKING:
    import torch

QueriesKeysValues = tuple["torch.Tensor", "torch.Tensor", "torch.Tensor"]
"""[M, heads, D], [K, kv heads, D] twice."""

MAX_HEAD_DIM = 256
"""What flash attention takes."""

_CHANGES_PRODUCTS = ("softcap", "s_aux", "sinks", "position_bias", "logit_cap")
"""Options by which models name soft caps, attention sinks and biases by position."""


@dataclass(frozen=True, slots=True)
class Segments:
    """What a `Layout` says of segments, on the device: `keys` [K], `query_ends` [S + 1], `key_ends` [S + 1].

    `longest`: the most queries or keys of a segment, rounded up, at least 2.
    """

    keys: torch.Tensor
    query_ends: torch.Tensor
    key_ends: torch.Tensor
    longest: int
    layout: Layout


def packed_attention(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, segments: Segments, options: Mapping[str, Any]
) -> tuple[torch.Tensor, None]:
    """[1, M, heads, D] of queries [1, heads, M, D], keys and values [1, kv heads, M, D]: causal in each segment.

    `options`: what a model asks of its attention. Raises NotImplementedError for what changes the products.
    """
    asked = sorted(name for name in _CHANGES_PRODUCTS if options.get(name) is not None)
    if asked:
        raise NotImplementedError(f"its attention has {', '.join(asked)}")
    scale = options.get("scaling")
    queries, keys, values = (each[0].transpose(0, 1) for each in (query, key, value))  # [M, heads, D]
    keys, values = keys.index_select(0, segments.keys), values.index_select(0, segments.keys)
    attend = _at_once if query.device.type == "cuda" else _in_turns
    return attend((queries, keys, values), segments, scale)[None], None


def is_taken(device: torch.device, dtype: torch.dtype, head_dim: int) -> bool:
    """True where there is a kernel. On CUDA flash attention takes no float32, and no GPU before capability 8.0."""
    import torch

    if device.type != "cuda":
        return True
    is_new = torch.cuda.get_device_capability(device) >= (8, 0)
    return is_new and dtype in (torch.bfloat16, torch.float16) and head_dim <= MAX_HEAD_DIM


def _at_once(heads: QueriesKeysValues, segments: Segments, scale: float | None) -> torch.Tensor:
    import torch

    query, key, value = (each.contiguous() for each in heads)
    ends = segments.query_ends, segments.key_ends, segments.longest, segments.longest
    if not _promises_one_split():
        flash = torch.ops.aten._flash_attention_forward
        return flash(query, key, value, *ends, 0.0, True, False, scale=scale)[0]  # type: ignore[no-any-return]
    from torch.nn.attention.varlen import varlen_attn

    out = varlen_attn(query, key, value, *ends, scale=scale, window_size=(-1, 0), num_splits=1, enable_gqa=True)
    return cast("torch.Tensor", out)  # a pair only where `return_aux` asks for it


@cache
def _promises_one_split() -> bool:
    """True where `varlen_attn` knows `num_splits`."""
    from torch.nn.attention import varlen

    return "num_splits" in inspect.signature(varlen.varlen_attn).parameters


def _in_turns(heads: QueriesKeysValues, segments: Segments, scale: float | None) -> torch.Tensor:
    import torch
    from torch.nn.attention.bias import causal_lower_right
    from torch.nn.functional import scaled_dot_product_attention

    out = torch.empty_like(heads[0])
    ends = segments.layout
    for (start, end), (first, last) in zip(pairwise(ends.query_ends), pairwise(ends.key_ends), strict=True):
        query, key, value = (
            each[a:b].transpose(0, 1)[None]
            for each, (a, b) in zip(heads, [(start, end), (first, last), (first, last)], strict=True)
        )
        bias = causal_lower_right(end - start, last - first)
        found = scaled_dot_product_attention(query, key, value, attn_mask=bias, scale=scale, enable_gqa=True)
        out[start:end] = found[0].transpose(0, 1)
    return out
