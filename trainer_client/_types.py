"""What calls return."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Rewards:
    """What a batch of N samples earned, in the order of the request.

    `rewards`: None where the server could not score the sample, which is not 0. `outcomes` says why (`correct`,
    `partial`, `incorrect`, `unanswered`, `ungradable`, …). `parts` are the components of the reward by name, each of
    shape (N,), None where a part does not apply. `config` is the server's digest of all that can change a value; where
    replicas of different configurations answered parts of the batch it has all their digests, joined by `+` (`version`
    likewise). Of a reward that is made of others (`mix`, `route`) `components` has what each adds, each of shape (N,):
    their sum is the reward before it was rounded to 1/1024. `scores` is then what may be filtered by, in 0 … 1, and of
    a `flip` with wrong labels or a warm-up. Both are empty for any other. `request_id`: under which the server logged
    the request. A batch in chunks has it with `-1`, `-2`, … in the log (or, where a gateway writes ids of its own, all
    of those, joined by `+`).
    """

    reward: str
    rewards: list[float | None]
    outcomes: list[str]
    parts: dict[str, list[float | None]]
    version: str
    config: str
    request_id: str = field(default="", compare=False)  # the same samples get the same rewards, asked twice
    components: dict[str, list[float | None]] = field(default_factory=dict)
    scores: list[float | None] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.rewards)

    @property
    def unscored(self) -> list[int]:
        """The positions of the samples without a reward."""
        return [row for row, reward in enumerate(self.rewards) if reward is None]

    def mean(self, part: str) -> float | None:
        """The mean of a part over the samples that have it; None when none has."""
        return mean_of(self.parts[part])


def mean_of(column: Sequence[float | None]) -> float | None:
    """The mean of those that are there; None where none is."""
    values = [value for value in column if value is not None]
    return sum(values) / len(values) if values else None


@dataclass(frozen=True)
class ScoredChunk:
    """Some samples of a batch of `total`: `rewards` has those at the positions `rows`, in that order.

    `done`: how many samples this chunk and the chunks before it have together.
    """

    rows: Sequence[int]
    rewards: Rewards
    done: int
    total: int


@dataclass(frozen=True)
class Readiness:
    """Whether the server takes work; true in a condition when it does. `reason` is for people."""

    is_ready: bool
    reason: str

    def __bool__(self) -> bool:
        return self.is_ready
