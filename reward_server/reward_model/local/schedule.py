"""Which waiting samples the device computes next: a pure decision, without clock, lock or model.

Samples arrive one by one from separate connections; here they are together again with the others of their prompt, so
that the prompt is computed once.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Collection
from dataclasses import dataclass, field

from reward_server.reward_model.engine import EngineUnavailable, Mode, Result, TokenIds

GRACE_S = 5.0
"""Seconds that work is kept for a caller that left, who may come back."""

_CANDIDATES = 64
"""Prompts looked at to fill a batch; a bound on the work for each batch when thousands wait."""


@dataclass(eq=False, slots=True)
class Waiting:
    """One distinct (prompt, completion, mode) that callers wait for. Ids are [P] and [C]; times in seconds.

    `abandoned`: when the last caller left; None while one is there.
    """

    key: bytes
    completion: TokenIds[int]
    arrived: float
    future: asyncio.Future[Result | EngineUnavailable]
    callers: int = 0
    abandoned: float | None = None


@dataclass(eq=False, slots=True)
class WaitingPrompt:
    """The waiting samples of one prompt, never empty, in order of arrival. `longest`: tokens of its longest text."""

    mode: Mode
    prompt: TokenIds[int]
    samples: list[Waiting] = field(default_factory=list)
    longest: int = 0

    @property
    def arrived(self) -> float:
        """When its first sample came."""
        return self.samples[0].arrived

    def add(self, sample: Waiting) -> None:
        self.samples.append(sample)
        self.longest = max(self.longest, len(self.prompt) + len(sample.completion))

    def remove(self, samples: Collection[Waiting]) -> None:
        gone = set(samples)
        self.samples = [sample for sample in self.samples if sample not in gone]
        self.longest = len(self.prompt) + max((len(sample.completion) for sample in self.samples), default=0)


class WaitingQueue:
    """What waits, by prompt. `tokens`: a prompt's once, and each completion's."""

    def __init__(self) -> None:
        self._prompts: dict[tuple[Mode, bytes], WaitingPrompt] = {}
        self.tokens = 0

    def __bool__(self) -> bool:
        return bool(self._prompts)

    @property
    def prompts(self) -> Collection[WaitingPrompt]:
        return self._prompts.values()

    def add(self, prompt: TokenIds[int], sample: Waiting, mode: Mode) -> None:
        place = (mode, prompt.tobytes())
        if place not in self._prompts:
            self._prompts[place] = WaitingPrompt(mode, prompt)
            self.tokens += len(prompt)
        self._prompts[place].add(sample)
        self.tokens += len(sample.completion)

    def remove(self, prompt: WaitingPrompt, samples: Collection[Waiting]) -> None:
        prompt.remove(samples)
        self.tokens -= sum(len(sample.completion) for sample in samples)
        if not prompt.samples:
            del self._prompts[prompt.mode, prompt.prompt.tobytes()]
            self.tokens -= len(prompt.prompt)

    def drop_abandoned(self, now: float, grace_s: float) -> list[Waiting]:
        """Take out all that `is_dropped`, in one pass over what waits."""
        dropped: list[Waiting] = []
        for prompt in list(self._prompts.values()):
            gone = [sample for sample in prompt.samples if is_dropped(sample, now, grace_s)]
            if gone:
                self.remove(prompt, gone)
                dropped += gone
        return dropped

    def clear(self) -> None:
        self._prompts.clear()
        self.tokens = 0


@dataclass(frozen=True, slots=True)
class Batch:
    """What goes to the device in one call: prompts of one mode, the lead first, with chosen ones of their samples."""

    mode: Mode
    parts: list[tuple[WaitingPrompt, list[Waiting]]]


def next_batch(
    prompts: Collection[WaitingPrompt],
    now: float,
    *,
    max_tokens: int,
    max_age_s: float,
    last_lead: WaitingPrompt | None = None,
) -> Batch:
    """The samples of the prompt that leads, then further prompts of its mode, longest first.

    Of each its samples, longest first, while a prompt's tokens (once) and its completions' fit into `max_tokens`. The
    first sample is taken whatever its length: of a lead that has waited longer than `max_age_s` that is the oldest, so
    that longer ones that keep coming cannot hold it back. Longest first, since a long text that starts last is what
    everybody waits for.
    """
    longest = heapq.nlargest(_CANDIDATES, prompts, key=lambda prompt: prompt.longest)
    lead = _lead(prompts, longest[0], last_lead, now, max_age_s)
    first = lead.samples[0] if now - lead.arrived > max_age_s else max(lead.samples, key=_length)
    parts: list[tuple[WaitingPrompt, list[Waiting]]] = []
    left = max_tokens
    for prompt in [lead, *(p for p in longest if p is not lead and p.mode == lead.mode)]:
        chosen, left = _fitting(prompt, left, first if prompt is lead else None)
        if chosen:
            parts.append((prompt, chosen))
    return Batch(lead.mode, parts)


def _lead(
    prompts: Collection[WaitingPrompt],
    longest: WaitingPrompt,
    last_lead: WaitingPrompt | None,
    now: float,
    max_age_s: float,
) -> WaitingPrompt:
    """The one that led the last batch, while it has samples; else the one with the longest text.

    A group that does not fit into one batch is so computed in a row, while the state after its prompt is kept. But the
    oldest prompt leads where it came more than `max_age_s` before the samples of the last lead, or, where that has
    none left, once it has waited so long.
    """
    oldest = min(prompts, key=lambda prompt: prompt.arrived)
    if last_lead is not None and last_lead.samples:
        return oldest if last_lead.arrived - oldest.arrived > max_age_s else last_lead
    return oldest if now - oldest.arrived > max_age_s else longest


def _length(sample: Waiting) -> int:
    return len(sample.completion)


def _fitting(prompt: WaitingPrompt, left: int, first: Waiting | None) -> tuple[list[Waiting], int]:
    """`first`, whatever its length, and the samples that fit into the `left` tokens; and what is then left."""
    after_prompt = left - len(prompt.prompt)
    chosen: list[Waiting] = []
    if first is not None:
        chosen.append(first)
        after_prompt -= len(first.completion)
    for sample in sorted(prompt.samples, key=_length, reverse=True):
        if sample is not first and len(sample.completion) <= after_prompt:
            chosen.append(sample)
            after_prompt -= len(sample.completion)
    return (chosen, after_prompt) if chosen else ([], left)


def is_dropped(sample: Waiting, now: float, grace_s: float) -> bool:
    """True when its callers left longer than the grace ago: a caller that timed out and asks again finds it queued."""
    return sample.abandoned is not None and now - sample.abandoned > grace_s
