"""What a reward-model engine is, whoever computes: token ids in, one score or one reason out.

    EngineError
    ├── UnfitModel              at start: this model or server cannot give right scores; the message says why
    ├── EngineUnavailable       the engine as a whole is gone or out of reach
    │   ├── DeviceThreadDied    the thread that runs the model ended; only a restart helps
    │   ├── DeviceHangs         it did not finish a batch in many times the time; only a restart helps
    │   └── RemoteUnavailable   the remote server does not answer, or is busy, after every retry
    │       └── RemoteForbids   it answers, but not to us: a wrong key, URL or model name
    └── SampleError             this sample has no score; its neighbours have theirs
        ├── UnusableChat        the chat template or the tokenizer refuses the messages
        ├── ForgedTurn          the answer holds a special token of the model's tokenizer
        ├── TooLong             more tokens than the model takes
        ├── NotFinite           the model gave NaN or an infinity
        ├── OutOfMemory         the sample does not fit in the device's memory
        └── RemoteRefused       the remote server refuses the sample, or answers with something that is no score

An engine scores one sample a call, so one bad sample never fails its neighbours. A device scores many at a time, with a
SampleError in the place of a score that there is not.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from reward_server.types import BatchReport

Mode = Literal["deterministic", "throughput"]
"""`deterministic`: a score depends on (prompt, completion) only, bitwise. `throughput`: texts are packed together."""

TokenIds = array  # of typecode "i": 4 bytes a token, where a list takes 36
"""Token ids of one text, shape [T]."""


class EngineError(Exception):
    """The root."""


class UnfitModel(EngineError, ValueError):
    """At start: the model or the server cannot give right scores."""


class EngineUnavailable(EngineError):
    """The engine as a whole is gone or out of reach."""


class DeviceThreadDied(EngineUnavailable):
    """The thread that runs the model ended."""


class DeviceHangs(EngineUnavailable):
    """The thread that runs the model does not finish a batch."""


class RemoteUnavailable(EngineUnavailable):
    """The remote server does not answer, after every retry."""


class RemoteForbids(RemoteUnavailable):
    """The remote server answers, but not to us: a wrong key, URL or model name."""


class SampleError(EngineError):
    """This sample has no score."""


class UnusableChat(SampleError, ValueError):
    """The chat template or the tokenizer refuses the messages."""


class ForgedTurn(SampleError, ValueError):
    """The answer holds a special token of the model's tokenizer: the model would read another turn in it."""


class TooLong(SampleError, ValueError):
    """More tokens than the model takes."""


class NotFinite(SampleError, ArithmeticError):
    """The model gave NaN or an infinity."""


class OutOfMemory(SampleError, MemoryError):
    """The sample does not fit in the device's memory."""


class RemoteRefused(SampleError):
    """The remote server refuses the sample, or answers with something that is no score."""


RawScore = float | tuple[float, ...]
"""What a model says of one text: a number, or where it has several labels a number for each."""

Result = RawScore | SampleError
"""What a device says of one sample: the raw score of the model, or why there is none."""


@dataclass(frozen=True, slots=True)
class Group:
    """Completions of one prompt. An empty prompt means that each "completion" is a whole text, run unsplit.

    `prompt` [P] and each of `completions` [C] are token ids; the model reads prompt + completion. C >= 1.
    """

    prompt: TokenIds[int]
    completions: Sequence[TokenIds[int]]


@dataclass(slots=True)
class Work:
    """What one call of a device did: results in the order of the groups, and what they cost (see BatchReport)."""

    results: list[list[Result]]
    tokens_computed: int = 0
    tokens_saved: int = 0
    padding_tokens: int = 0
    forward_s: float = 0.0


OnBatch = Callable[[BatchReport], object]


def ignore_batch(report: BatchReport) -> None:
    """The listener that nobody needs."""


class Engine(Protocol):
    """Scores one sample a call, many calls at a time, on one event loop."""

    @property
    def unready_reason(self) -> str | None:
        """None while the engine works; else why it does not."""
        ...

    @property
    def queued_tokens(self) -> int:
        """Tokens that wait, a prompt's once where the engine shares it."""
        ...

    @property
    def tokens_per_s(self) -> float:
        """Measured rate at which waiting tokens become scores; 0 before the first score."""
        ...

    async def score(self, prompt: TokenIds[int], completion: TokenIds[int], mode: Mode = "deterministic") -> RawScore:
        """The raw score of one completion. Raises SampleError, and EngineUnavailable."""
        ...


def checked(score: float) -> float:
    """The score. Raises NotFinite: NaN and infinities are never a reward."""
    if not math.isfinite(score):
        raise NotFinite(f"the model gave {score}")
    return score


def count_not_finite(results: Iterable[Result]) -> int:
    return sum(isinstance(result, NotFinite) for result in results)
