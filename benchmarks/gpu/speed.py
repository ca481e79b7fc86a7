"""Step 5. Completion tokens a second, and useful work as a share of the card's: the engine and what people do today.

The contestants take turns, and every round is kept: rows differed by up to 2 between runs on one kind of card.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from benchmarks.gpu.bench import Bench, groups
from benchmarks.gpu.contestants import Contestant, by, engine, plain, serve_rm
from benchmarks.gpu.shapes import flops, folder_of, new_model
from reward_server.reward_model.local.model import TransformersModel

PEAK_FLOPS = 989e12
"""An H100's in bfloat16, by its data sheet; an H200's too."""

LOADS = [((300, 100), 16), ((300, 400), 8), ((300, 1600), 3)]
"""(tokens of a prompt, tokens of each of its 8 completions), prompts."""

TINY_LOADS = [((20, 12), 2), ((20, 30), 2)]
GROUP = 8


def run(bench: Bench) -> None:
    chosen = random.Random(5)
    for size in ("tiny",) if bench.tiny else ("0.5B", "1.5B", "7B"):
        ways = _ways(bench, size)
        for (prompt, completion), count in TINY_LOADS if bench.tiny else LOADS:
            found: dict[str, Any] = {name: {"tokens_s": [], "mfu": []} for name in ways}
            for _ in range(1 + (2 if bench.tiny else 5)):  # the first does not count
                for name, score in ways.items():
                    asked = groups(chosen, [(prompt, [completion] * GROUP)] * count)
                    seconds = bench.seconds(lambda: score(asked))  # noqa: B023 - called at once
                    found[name]["tokens_s"].append(round(count * GROUP * completion / seconds))
                    work = count * flops(size, prompt, completion, GROUP)
                    found[name]["mfu"].append(round(work / seconds / PEAK_FLOPS, 4))
            for kept in found.values():
                del kept["tokens_s"][0], kept["mfu"][0]
            bench.say(f"{size}, {count} x {GROUP} completions of {completion} after {prompt}", found)


def _ways(bench: Bench, size: str) -> dict[str, Contestant]:
    """7B runs packed only and beside serve_rm's logic: the others are too slow to wait for."""
    folder = folder_of(size, bench.device, bench.out)
    model: PreTrainedModel = new_model(size, bench.device)
    packed = _engine(bench, folder, packing="on")
    ways = {f"packed ({packed.config['packing']})": by(packed), "serve_rm": serve_rm(model, bench.device)}
    if size != "7B":
        alone = _engine(bench, folder, packing="off")
        ways |= {"one at a time": by(alone), "throughput": by(alone, "throughput"), "plain": plain(model, bench.device)}
    return ways


def _engine(bench: Bench, folder: Path, packing: Any) -> TransformersModel:
    return engine(folder, bench.device, packing)
