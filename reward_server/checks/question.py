"""What a check is asked, and what it may say. Light to import: each worker does."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from hashlib import blake2b
from numbers import Real
from typing import NamedTuple

from reward_server.types import Message, Outcome

MAX_REASON_CHARS = 300
"""Of what is kept and shown of a reason."""


@dataclass(frozen=True, slots=True)
class Question:
    """One answer and one ground truth. `prompt`: None where the check does not read it."""

    answer: str
    ground_truth: str
    prompt: str | list[Message] | None = None

    def key(self, check: bytes) -> bytes:
        """16 bytes that stand for the question put to a check of that digest."""
        prompt = "" if self.prompt is None else json.dumps(self.prompt, sort_keys=True)
        text = f"{len(self.ground_truth)} {len(prompt)}\0{self.ground_truth}{prompt}{self.answer}"
        return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16, key=check).digest()


class Finding(NamedTuple):
    """What a check said. `score`: of `partial` only. `reason`: for people, of at most MAX_REASON_CHARS."""

    outcome: Outcome
    score: float | None = None
    reason: str = ""

    @property
    def value(self) -> float | None:
        """The score as a number, None for `ungradable` and where there is none."""
        return {Outcome.CORRECT: 1.0, Outcome.INCORRECT: 0.0, Outcome.PARTIAL: self.score}.get(self.outcome)


class CheckFailed(Exception):
    """The check gave no verdict: our fault, or its own.

    `problem` says why without a word of what was graded, for the log. `detail` may hold some, for `/explain`.
    """

    def __init__(self, problem: str, detail: str = "") -> None:
        super().__init__(problem, detail)
        self.problem, self.detail = problem, detail

    @property
    def reason(self) -> str:
        """All of it, cut to its length."""
        return shortened(f"{self.problem}: {self.detail}" if self.detail else self.problem)


def shortened(text: str) -> str:
    """As much of it as a reason may have."""
    return text if len(text) <= MAX_REASON_CHARS else f"{text[: MAX_REASON_CHARS - 1]}…"


def finding_of(value: object, reason: str = "") -> Finding:
    """What a returned value means: True, False, a number in 0 … 1, None. Raises CheckFailed for anything else."""
    if value is None:
        return Finding(Outcome.UNGRADABLE, None, reason)
    if type(value).__module__ == "numpy" and hasattr(value, "item"):
        value = value.item()  # a NumPy bool is no number
    if not isinstance(value, Real):
        kind = type(value).__name__
        raise CheckFailed(f"it gave a value of type {kind}, and not True, False, None or a number in 0 … 1")
    score = float(value)
    if not math.isfinite(score) or not 0 <= score <= 1:
        shown = repr(score).removesuffix(".0")  # all digits: 1.0000001 is not 1
        raise CheckFailed(f"it gave {shown}, which is not in 0 … 1")
    if score in (0.0, 1.0):
        return Finding(Outcome.CORRECT if score else Outcome.INCORRECT, None, reason)
    return Finding(Outcome.PARTIAL, score, reason)


def parsed(ground_truth: str) -> object:
    """The object or list that the text holds as JSON, a new one at each call; any other text as it is.

    >>> parsed('{"words": 3}'), parsed("[1, 2]"), parsed("42"), parsed("[x, y]")
    ({'words': 3}, [1, 2], '42', '[x, y]')
    """
    if ground_truth.lstrip()[:1] not in ("{", "["):
        return ground_truth
    try:
        value: object = json.loads(ground_truth)
    except (ValueError, RecursionError):
        return ground_truth
    return value
