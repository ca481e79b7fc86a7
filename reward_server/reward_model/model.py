"""Tokenizer and engine together: messages and an answer in, a raw score out."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from reward_server.kit.rate import Rate
from reward_server.reward_model.engine import Engine, Mode, RawScore
from reward_server.reward_model.tokenizer import ChatTokenizer, Encoded, WhenTooLong

_ENCODERS = 4
"""Threads that tokenise; beyond a few they only wait for the interpreter."""

_MOST_TOKENS_PER_CHAR = 4.0
"""A character has at most four bytes, and a token at least one; more is the template round short answers."""


@dataclass(frozen=True, slots=True)
class ModelScore:
    """`value`: the model's raw score, or several. `encoded`: exactly what it read."""

    value: RawScore
    encoded: Encoded


class RewardModel:
    """Scores any number of samples at a time on one event loop; the engine groups them by prompt again.

    `labels`: names of the numbers that it says of a text.
    """

    def __init__(self, tokenizer: ChatTokenizer, engine: Engine, labels: Sequence[str] = ("score",)) -> None:
        self._tokenizer = tokenizer
        self.engine = engine
        self.labels = labels
        self._threads = ThreadPoolExecutor(min(_ENCODERS, os.cpu_count() or 1), thread_name_prefix="tokenizer")
        self._untokenised_chars = 0
        # Four characters a token, until answers say otherwise. By sums: a mean of ratios would follow answers of one
        # character, which are mostly the template's tokens.
        self._tokens_per_char = Rate(keep=0.98, amount=250, per=1000)

    async def encode(
        self, messages: Sequence[Mapping[str, object]], answer: str, too_long: WhenTooLong = "null"
    ) -> Encoded:
        """What the model will read. Raises SampleError where it cannot."""
        loop = asyncio.get_running_loop()
        self._untokenised_chars += len(answer)
        try:
            encoded = await loop.run_in_executor(self._threads, self._tokenizer.encode, messages, answer, too_long)
        finally:
            self._untokenised_chars -= len(answer)
        self._tokens_per_char.add(len(encoded.completion), len(answer))
        return encoded

    async def score(self, encoded: Encoded, mode: Mode = "deterministic") -> ModelScore:
        """Raises SampleError where this sample has no score, EngineUnavailable where none has."""
        return ModelScore(await self.engine.score(encoded.prompt, encoded.completion, mode), encoded)

    @property
    def queued_tokens(self) -> int:
        """Tokens that wait for the engine, and about as many as the answers have that are not tokenised yet.

        Prompts count from when they are tokenised, so that the completions of a group share one.
        """
        tokens_per_char = min(self._tokens_per_char.value, _MOST_TOKENS_PER_CHAR)
        return self.engine.queued_tokens + int(self._untokenised_chars * tokens_per_char)

    @property
    def wait_s(self) -> float:
        """Seconds that what is queued will take at the measured rate; 0 before the first score."""
        return self.queued_tokens / self.engine.tokens_per_s if self.engine.tokens_per_s else 0.0

    def close(self) -> None:
        """Stops the tokenizing threads; texts that wait are not tokenised."""
        self._threads.shutdown(wait=False, cancel_futures=True)
