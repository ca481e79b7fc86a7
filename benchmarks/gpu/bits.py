"""Step 2. Has one text one value, in every mix, beside other work, and in another process (`2again`)?"""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from benchmarks.gpu.bench import Bench, groups
from benchmarks.gpu.contestants import by, engine
from benchmarks.gpu.shapes import folder_of
from reward_server.reward_model.engine import Group

PROMPTS = (9, 64, 150, 300, 511, 700)


def run(bench: Bench) -> None:
    chosen = random.Random(2)
    asked = groups(chosen, [(p, [chosen.choice((1, 40, 130, 400)) for _ in range(4)]) for p in PROMPTS])
    values: dict[str, list[str]] = {}
    for packing in ("on", "off"):
        model = engine(folder_of("tiny" if bench.tiny else "0.5B", bench.device, bench.out), bench.device, packing)
        seen: dict[str, set[str]] = {}
        with _beside(bench):
            for part in _mixes(chosen, asked, rounds=4 if bench.tiny else 60 if packing == "on" else 12):
                for text, score in zip(part, by(model)([group for _, group in part]), strict=True):
                    seen.setdefault(text[0], set()).add(score.hex())
        name = str(model.config.get("packing", "off"))
        bench.say(f"most values of a text, packing {name}", max(map(len, seen.values())))
        values |= {f"{packing} {text}": sorted(found) for text, found in seen.items()}
    first = bench.out / "2.json"
    if bench.step == "2again":
        before = json.loads(first.read_text())["values"]
        bench.say("texts with other bits in a second process", sum(before[t] != found for t, found in values.items()))
    bench.say("values", values)


def _mixes(chosen: random.Random, asked: list[Group], rounds: int) -> Iterator[list[tuple[str, Group]]]:
    """Some of the texts in another order each time. Neighbours of one prompt share it where texts are packed."""
    texts = [
        (f"{g}.{c}", Group(group.prompt, [completion]))
        for g, group in enumerate(asked)
        for c, completion in enumerate(group.completions)
    ]
    yield texts
    for mix in range(rounds):
        part = chosen.sample(texts, 1 if mix % 5 == 0 else chosen.randint(2, len(texts)))
        yield sorted(part, key=lambda text: text[0]) if mix % 2 else part


@contextmanager
def _beside(bench: Bench) -> Iterator[None]:
    """Products in another thread, on another stream of the same card."""
    ended = threading.Event()

    def work() -> None:
        n = 64 if bench.tiny else 2048
        stream: Any = torch.cuda.Stream(bench.device) if bench.device.type == "cuda" else None  # type: ignore[no-untyped-call]
        a = torch.randn(n, n, device=bench.device)
        with torch.cuda.stream(stream):
            while not ended.wait(0.002):
                a @ a
                if stream is not None:
                    stream.synchronize()

    thread = threading.Thread(target=work, name="other work on the card")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
