"""Step 4. What happens when memory runs out: who is scored, which bits, and whether memory comes back."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from benchmarks.gpu.bench import Bench, groups
from benchmarks.gpu.contestants import engine
from benchmarks.gpu.shapes import folder_of
from reward_server.reward_model.engine import Group, Result
from reward_server.reward_model.local.model import TransformersModel

SPARE_BYTES = 1 << 30
"""What a model may take beyond its weights while memory is short."""


def run(bench: Bench) -> None:
    """Only a GPU has a limit that can be set: on a CPU the step runs without one."""
    folder = folder_of("tiny" if bench.tiny else "0.5B", bench.device, bench.out)
    chosen = random.Random(4)
    fits, never = (
        groups(chosen, [(200, [100] * 4), (100, [300] * 4)]),
        groups(chosen, [(200, [200]) if bench.tiny else (8000, [8000])]),
    )
    before, *after = fits[:1], *never, fits[1]
    for packing in ("on", "off"):
        model = engine(folder, bench.device, packing)
        expected = _texts(model, fits)
        used = _allocated(bench)
        with _short_of_memory(bench):
            results = _texts(model, [*before, *after])
        again = _texts(model, fits)
        bench.say(
            f"packing {packing}",
            {
                "texts without a score": [type(r).__name__ for r in results if not isinstance(r, float)],
                "neighbours with other bits": sum(a != b for a, b in zip(_others(results), expected, strict=True)),
                "other bits afterwards": sum(a != b for a, b in zip(again, expected, strict=True)),
                "bytes more in use afterwards": _allocated(bench) - used,
            },
        )
        del model


def _texts(model: TransformersModel, asked: list[Group]) -> list[Result]:
    return [result for group in model.score(asked).results for result in group]


def _others(results: list[Result]) -> list[Result]:
    """Without the text in the middle, which is too long for the memory that is left."""
    return [*results[:4], *results[5:]]


def _allocated(bench: Bench) -> int:
    return torch.cuda.memory_allocated(bench.device) if bench.device.type == "cuda" else 0


@contextmanager
def _short_of_memory(bench: Bench) -> Iterator[None]:
    if bench.device.type != "cuda":
        yield
        return
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(bench.device).total_memory
    torch.cuda.set_per_process_memory_fraction((_allocated(bench) + SPARE_BYTES) / total, bench.device)
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, bench.device)
