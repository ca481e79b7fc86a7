"""What became of samples, as lines of the log: for trainers that take rewards and have no place for anything else."""

from __future__ import annotations

import logging
import os
import threading
from functools import lru_cache

from trainer_client import Rewards
from trainer_client.adapters._shared import fates_of, means

log = logging.getLogger("trainer_client")
SAMPLES = 256
"""A line for each so many samples of a process."""


class Tally:
    """Sums over calls, of the samples of one reward."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rewards: list[Rewards] = []
        self._size = 0
        self._is_strange = False

    def add(self, rewards: Rewards) -> None:
        """Logs the means once SAMPLES are there: as a warning where half of them or more have no answer, no format, or
        exhausted the budget, and the SAMPLES before them had not."""
        with self._lock:
            self._rewards.append(rewards)
            self._size += len(rewards)
            if self._size < SAMPLES:
                return
            done, self._rewards, self._size = _joined(self._rewards), [], 0
            found = means(done)
            was_strange, self._is_strange = self._is_strange, sum(found[fate] or 0.0 for fate in fates_of(done)) >= 0.5
            level = logging.WARNING if self._is_strange and not was_strange else logging.INFO
        text = ", ".join(f"{name} {mean:.3f}" for name, mean in found.items() if mean is not None)
        log.log(level, "%s, %d samples: %s", rewards.reward, len(done), text)


def count(rewards: Rewards) -> None:
    """Adds to the tally of this process."""
    if len(rewards):
        _tally(os.getpid(), rewards.reward, tuple(rewards.parts)).add(rewards)


@lru_cache(maxsize=16)
def _tally(process: int, reward: str, parts: tuple[str, ...]) -> Tally:
    """`process`: a child begins anew, with a lock that nobody holds. `parts`: parameters of one reward may add some."""
    return Tally()


def _joined(several: list[Rewards]) -> Rewards:
    first = several[0]
    return Rewards(
        first.reward,
        [reward for each in several for reward in each.rewards],
        [outcome for each in several for outcome in each.outcomes],
        {name: [value for each in several for value in each.parts[name]] for name in first.parts},
        first.version,
        first.config,
        components={name: [value for each in several for value in each.components[name]] for name in first.components},
        scores=[score for each in several for score in each.scores],
    )
