"""Step 6. Does a row of a matrix product depend on how many rows there are, on its place, on what stands beside it?

Run once for each of cuBLAS' settings, each in a process of its own: `6default` as PyTorch sets it, `6engine` as the
engine does, `6lt` by cuBLASLt, `6vllm` as vLLM does for batch invariance, without split-K.
"""

from __future__ import annotations

import os
import statistics

import torch

from benchmarks.gpu.bench import Bench
from benchmarks.gpu.shapes import SHAPES
from reward_server.reward_model.local.process_wide import steady_cuda

ROWS = (1, 7, 64, 300, 512, 1000, 2048, 4096, 8192)
TINY_ROWS = (1, 7, 64, 100)
WITHOUT_SPLITS = {"CUBLAS_WORKSPACE_CONFIG": ":16:8", "CUBLASLT_WORKSPACE_SIZE": "1"}
"""Variables of `6vllm`, read when cuBLAS is first used."""


def run(bench: Bench) -> None:
    _set(bench)
    rows = TINY_ROWS if bench.tiny else ROWS
    for size in ("tiny",) if bench.tiny else ("0.5B", "7B"):
        for name, (k, n) in _shapes(size).items():
            torch.manual_seed(0)
            x = torch.randn(rows[-1], k, device=bench.device, dtype=torch.bfloat16)
            weight = torch.randn(n, k, device=bench.device, dtype=torch.bfloat16) / k**0.5
            bench.say(f"{size} {name}", _asked(bench, x, weight, rows))


def _asked(bench: Bench, x: torch.Tensor, weight: torch.Tensor, rows: tuple[int, ...]) -> dict[str, object]:
    linear = torch.nn.functional.linear
    whole = linear(x, weight)
    others = torch.cat([x[:1], torch.randn_like(x[1:])])
    return {
        "rows with the bits of the most": [m for m in rows if torch.equal(linear(x[:m], weight), whole[:m])],
        "place does not matter": [
            m for m in rows if torch.equal(linear(x[:m].roll(m // 3, 0), weight), linear(x[:m], weight).roll(m // 3, 0))
        ],
        "neighbours do not matter": [
            m for m in rows if torch.equal(linear(others[:m], weight)[0], linear(x[:m], weight)[0])
        ],
        "microseconds": {
            m: round(1e6 * statistics.median(bench.times(lambda: linear(x[:m], weight), 10)))  # noqa: B023 - at once
            for m in (rows[2], rows[-1])
        },
    }


def _shapes(size: str) -> dict[str, tuple[int, int]]:
    """(in, out) of the products of a layer."""
    hidden, _, heads, key_heads, intermediate = SHAPES[size]
    keys = hidden // heads * key_heads
    return {"q": (hidden, hidden), "k": (hidden, keys), "up": (hidden, intermediate), "down": (intermediate, hidden)}


def _set(bench: Bench) -> None:
    if bench.device.type != "cuda":
        return
    if bench.step == "6engine":
        steady_cuda()
    if bench.step in ("6lt", "6vllm"):
        torch.backends.cuda.preferred_blas_library("cublaslt")
    if bench.step == "6vllm":  # the pair needs cuBLASLt
        torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = (False, False)
        missing = {name for name in WITHOUT_SPLITS if name not in os.environ}
        bench.say("variables that are not set", sorted(missing))
