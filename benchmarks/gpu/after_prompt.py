"""Step 9after. Attention of a completion behind a kept prompt: as the engine asks for it, and by `causal_lower_right`.

The engine passes a mask where the completion is no longer than its prompt, else queries of zero in the prompt's place.
PyTorch's bias does neither on CUDA; on a CPU it is a mask.
"""

from __future__ import annotations

import statistics
from functools import partial
from types import SimpleNamespace

import torch
from torch.nn.attention.bias import causal_lower_right
from torch.nn.functional import scaled_dot_product_attention

from benchmarks.gpu.bench import Bench
from benchmarks.gpu.shapes import SHAPES
from reward_server.reward_model.local.prompt_attention import _attention

LENGTHS = [(300, 16), (300, 100), (300, 400), (4000, 400), (300, 4000)]
"""(tokens of the prompt, of the completion)."""


@torch.inference_mode()
def run(bench: Bench) -> None:
    for size in ("tiny",) if bench.tiny else ("0.5B", "7B"):
        hidden, _, heads, key_heads, _ = SHAPES[size]
        for prompt, completion in [(20, 8), (20, 30)] if bench.tiny else LENGTHS:
            query, key, value = (
                torch.randn(1, n, tokens, hidden // heads, device=bench.device, dtype=torch.bfloat16)
                for n, tokens in (
                    (heads, completion),
                    (key_heads, prompt + completion),
                    (key_heads, prompt + completion),
                )
            )
            mask = None
            if completion <= prompt:
                mask = torch.ones(completion, prompt + completion, device=bench.device, dtype=torch.bool)
                mask = mask.tril(prompt)[None, None]
            module = SimpleNamespace(is_causal=True, num_key_value_groups=heads // key_heads)
            as_it_is = partial(_as_it_is, module, query, key, value, mask)
            by_bias = partial(_by_bias, query, key, value)
            rounds = 3 if bench.tiny else 20
            bench.say(
                f"{size}, {completion} after {prompt}",
                {
                    "as it is, us": round(1e6 * statistics.median(bench.times(as_it_is, rounds))),
                    "causal_lower_right, us": round(1e6 * statistics.median(bench.times(by_bias, rounds))),
                    "largest difference": float((as_it_is() - by_bias()).float().abs().max()),
                },
            )


def _as_it_is(
    module: SimpleNamespace, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None
) -> torch.Tensor:
    return _attention(module, query, key, value, mask)[0].transpose(1, 2)


def _by_bias(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    bias = causal_lower_right(query.shape[2], key.shape[2])
    return scaled_dot_product_attention(query, key, value, attn_mask=bias, enable_gqa=True)
