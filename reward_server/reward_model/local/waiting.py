"""What waits for the device, by prompt.

Samples arrive one by one from separate connections; here they are together again with the others of their prompt, so
that the prompt is computed once.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from reward_server.kit.shared import Shared
from reward_server.reward_model.engine import Mode, RawScore, TokenIds


@dataclass(eq=False)
class Waiting(Shared[RawScore]):
    """One distinct (prompt, completion, mode) that callers wait for. `completion`: ids [C]. `arrived`: in seconds of
    `time.monotonic`."""

    key: bytes
    completion: TokenIds[int]
    arrived: float


@dataclass(eq=False, slots=True)
class WaitingPrompt:
    """The waiting samples of one prompt, never empty, in order of arrival. `longest`: tokens of its longest text."""

    mode: Mode
    prompt: TokenIds[int]
    samples: list[Waiting] = field(default_factory=list)
    longest: int = 0

    @property
    def arrived(self) -> float:
        """When the first of its samples arrived."""
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

    def drop_abandoned(self, now: float) -> list[Waiting]:
        """Takes out all that nobody waits for any more, in one pass."""
        dropped: list[Waiting] = []
        for prompt in list(self._prompts.values()):
            gone = [sample for sample in prompt.samples if sample.is_abandoned(now)]
            if gone:
                self.remove(prompt, gone)
                dropped += gone
        return dropped

    def clear(self) -> None:
        self._prompts.clear()
        self.tokens = 0
