"""Step 1. Are the scores right, against whole texts in float32 with eager attention?"""

from __future__ import annotations

import random

from benchmarks.gpu.bench import Bench, Lengths, groups
from benchmarks.gpu.contestants import by, engine, plain
from benchmarks.gpu.shapes import folder_of, new_model
from reward_server.reward_model.engine import Mode
from reward_server.types import Dtype, Packing

LENGTHS: Lengths = [(8, [1, 30]), (90, [30, 90, 150, 89]), (300, [100] * 8), (700, [900, 5])]
LONG: Lengths = [(4097, [4097])]
"""Longer than a chunk of 4,096 tokens, and than a packed pass."""

WAYS: list[tuple[Dtype, Packing, Mode]] = [
    ("float32", "off", "deterministic"),
    ("float32", "off", "throughput"),
    ("bfloat16", "off", "deterministic"),
    ("bfloat16", "off", "throughput"),
    ("bfloat16", "on", "deterministic"),
]


def run(bench: Bench) -> None:
    size = "tiny" if bench.tiny else "0.5B"
    asked = groups(random.Random(1), LENGTHS if bench.tiny else [*LENGTHS, *LONG])
    reference = plain(new_model(size, bench.device, attention="eager", exact=True), bench.device)
    true = reference(asked)
    bench.say("spread", max(true) - min(true))
    for dtype, packing, mode in WAYS:
        model = engine(folder_of(size, bench.device, bench.out), bench.device, packing, dtype)
        scores = by(model, mode)(asked)
        name = f"{dtype}, {mode}, packing {model.config.get('packing', 'off')}"
        bench.say(f"largest error, {name}", max(abs(a - b) for a, b in zip(scores, true, strict=True)))
