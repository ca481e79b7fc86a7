"""What every step has: the device, the sizes, a watch, and a file for its figures."""

from __future__ import annotations

import json
import random
import time
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu.shapes import VOCABULARY
from reward_server.reward_model.engine import Group

Lengths = Sequence[tuple[int, Sequence[int]]]
"""(tokens of a prompt, tokens of each of its completions)."""


@dataclass
class Bench:
    """`tiny`: toy sizes, by which the program itself is tried on a CPU. `out`: where the figures go."""

    step: str
    device: torch.device
    tiny: bool
    out: Path
    figures: dict[str, Any] = field(default_factory=dict)

    def say(self, name: str, value: Any) -> None:
        """Keeps a figure. Written at once, so that a step that is ended loses nothing."""
        self.figures[name] = value
        (self.out / f"{self.step}.json").write_text(json.dumps(self.figures, indent=1) + "\n")

    def synchronise(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def times(self, work: Callable[[], object], rounds: int) -> list[float]:
        """Seconds of each `work()`, after one that does not count."""
        self.seconds(work)
        return [self.seconds(work) for _ in range(rounds)]

    def seconds(self, work: Callable[[], object]) -> float:
        self.synchronise()
        started = time.perf_counter()
        work()
        self.synchronise()
        return time.perf_counter() - started


def groups(chosen: random.Random, lengths: Lengths) -> list[Group]:
    """Random texts of those lengths."""

    def ids(n: int) -> array[int]:
        return array("i", (chosen.randrange(5, VOCABULARY) for _ in range(n)))

    return [Group(ids(prompt), [ids(completion) for completion in completions]) for prompt, completions in lengths]
