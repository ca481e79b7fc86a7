"""A device for the queue of the reward model that records what it is given."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from reward_server.reward_model.engine import Group, Mode, Work


class SlowSum:
    """A device whose score is the sum of the ids; it records what it was given and waits for `gate`."""

    def __init__(self) -> None:
        self.calls: list[list[tuple[int, list[int]]]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.wait: Callable[[], object] = lambda: self.gate.wait(120)
        self.fails_with: BaseException | None = None

    def score(self, groups: Sequence[Group], mode: Mode) -> Work:
        self.calls.append([(len(group.prompt), [len(c) for c in group.completions]) for group in groups])
        self.wait()
        if self.fails_with is not None:
            raise self.fails_with
        return Work([[float(sum(group.prompt) + sum(c)) for c in group.completions] for group in groups], 10, 0, 0, 0.1)
