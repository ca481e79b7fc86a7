"""Step 0. What the card can do, and what one small forward pass costs the host."""

from __future__ import annotations

import statistics
import time

import torch
from transformers import DynamicCache

from benchmarks.gpu.bench import Bench
from benchmarks.gpu.shapes import VOCABULARY, new_model
from reward_server.reward_model.local.model import cache_name


def run(bench: Bench) -> None:
    n = 512 if bench.tiny else 8192
    a, b = (torch.randn(n, n, device=bench.device, dtype=torch.bfloat16) for _ in range(2))
    bench.say("product_tflops", 2 * n**3 / statistics.median(bench.times(lambda: a @ b, 5)) / 1e12)
    source = torch.randn((2**20 if bench.tiny else 2**30) // 2, device=bench.device, dtype=torch.bfloat16)
    target = torch.empty_like(source)
    bench.say("copy_tb_s", 4 * source.numel() / statistics.median(bench.times(lambda: target.copy_(source), 5)) / 1e12)
    for size in ("tiny",) if bench.tiny else ("0.5B", "7B"):
        bench.say(f"{size}, one pass of 16 tokens after 300, ms", _small_pass(bench, size))


@torch.inference_mode()
def _small_pass(bench: Bench, size: str) -> dict[str, float]:
    """`launched`: until the host is free again. `done`: until the device is."""
    model = new_model(size, bench.device)
    ids = torch.randint(5, VOCABULARY, (1, 316), device=bench.device)
    launched, done = [], []
    for _ in range(3 if bench.tiny else 21):
        kept = {cache_name(model.base_model): DynamicCache(config=model.config)}
        model.base_model(input_ids=ids[:, :300], use_cache=True, **kept)
        bench.synchronise()
        started = time.perf_counter()
        model.base_model(input_ids=ids[:, 300:], use_cache=True, **kept)
        launched.append(time.perf_counter() - started)
        bench.synchronise()
        done.append(time.perf_counter() - started)
    return {"launched": 1e3 * statistics.median(launched[1:]), "done": 1e3 * statistics.median(done[1:])}
