"""Step 3. Which attention kernels run in each of the engine's branches, and how many launches a text takes."""

from __future__ import annotations

import random
from typing import Any

from torch.profiler import ProfilerActivity, profile

from benchmarks.gpu.bench import Bench, Lengths, groups
from benchmarks.gpu.contestants import by, engine
from benchmarks.gpu.shapes import folder_of

BRANCHES: dict[str, Lengths] = {
    "whole text": [(0, [200])],
    "completion shorter than its prompt": [(400, [100])],
    "longer": [(100, [400])],
    "group of 8": [(300, [100] * 8)],
    "over a chunk": [(100, [5000])],
}
"""The last takes long on a CPU, where no kernel is asked for."""

ATTENTION = ("flash", "fmha", "attention", "softmax", "sdpa")


def run(bench: Bench) -> None:
    activity = ProfilerActivity.CUDA if bench.device.type == "cuda" else ProfilerActivity.CPU
    folder = folder_of("tiny" if bench.tiny else "0.5B", bench.device, bench.out)
    chosen = random.Random(3)
    for dtype, packing in (("bfloat16", "on"), ("bfloat16", "off"), ("float32", "off")):
        score = by(engine(folder, bench.device, packing, dtype))  # type: ignore[arg-type]
        for name, lengths in list(BRANCHES.items())[: -1 if bench.tiny else None]:
            score(groups(chosen, lengths))
            with profile(activities=[activity]) as seen:
                score(groups(chosen, lengths))
            rows = sorted(seen.key_averages(), key=_cost, reverse=True)
            attention = [row.key[:90] for row in rows if any(word in row.key.lower() for word in ATTENTION)]
            launches = sum(row.count for row in rows)
            found = {"launches": launches, "attention": attention[:5], "dearest": [row.key[:70] for row in rows[:4]]}
            bench.say(f"{dtype}, packing {packing}, {name}", found)


def _cost(row: Any) -> float:
    return float(getattr(row, "self_device_time_total", 0) or row.self_cpu_time_total)
