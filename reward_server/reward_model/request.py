"""The samples of one request on their way to the reward model and back; what fails for one fails for no other."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from reward_server.errors import Unavailable
from reward_server.reward_model.answer_format import AnswerFormat, answer_in
from reward_server.reward_model.chat import UnusablePrompt, chat_of, control_token
from reward_server.reward_model.engine import EngineUnavailable, ForgedTurn, Mode, SampleError, TooLong
from reward_server.reward_model.labels import Choice, Spread, spread
from reward_server.reward_model.model import RewardModel
from reward_server.reward_model.token_limit import TokenLimit
from reward_server.reward_model.tokenizer import Encoded, WhenTooLong
from reward_server.types import Outcome, Sample

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ModelQuestion:
    """How the model is asked: what a valid completion looks like, what is done with a long one, the mode, and which of
    several labels is the score."""

    format: AnswerFormat = "tags"
    too_long: WhenTooLong = "null"
    mode: Mode = "deterministic"
    choice: Choice = Choice()


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """`value`: the raw score, None where the outcome is not `scored`. `spread`: of all labels, likewise. `read`:
    exactly what the model read."""

    outcome: Outcome
    value: float | None = None
    spread: Spread | None = None
    read: Encoded | None = None


class ModelRequest:
    """One request's samples. What it brings of tokens is held against the limit."""

    def __init__(self, model: RewardModel, question: ModelQuestion, limit: TokenLimit) -> None:
        self._model = model
        self._question = question
        self._limit = limit
        self._tokens = 0
        self._failures: list[Exception] = []

    def admit(self) -> None:
        """Raises InvalidRequest where the model has other labels, Overloaded while too many tokens wait for it."""
        self._question.choice.check(self._model.labels)
        self._limit.admit(self._model.queued_tokens, self._model.wait_s)

    async def ask(self, samples: Sequence[Sample], texts: Sequence[str]) -> list[ModelAnswer]:
        """One answer a sample, in order; `texts`: their own turns.

        Raises TooLarge, and Unavailable when the engine as a whole is gone.
        """
        tasks = [asyncio.create_task(self._ask(*row)) for row in zip(samples, texts, strict=True)]
        try:
            return await asyncio.gather(*tasks)
        except EngineUnavailable as error:
            raise Unavailable(f"the reward model does not answer: {error}", retry_after_s=10) from None
        finally:
            for task in tasks:  # what ends one for all ends all
                task.cancel()
            self._log_failures(len(samples))

    async def _ask(self, sample: Sample, text: str) -> ModelAnswer:
        if sample.is_lost:
            return ModelAnswer(Outcome.ERROR)
        answer = answer_in(text, self._question.format)
        if answer is None or control_token(answer) is not None:  # the model would read another turn in it
            return ModelAnswer(Outcome.BAD_FORMAT)
        try:
            encoded = await self._model.encode(chat_of(sample.prompt or []), answer, self._question.too_long)
            self._tokens += encoded.tokens
            self._limit.check(self._tokens)
            scored = await self._model.score(encoded, self._question.mode)
        except ForgedTurn:
            return ModelAnswer(Outcome.BAD_FORMAT)
        except TooLong:
            return ModelAnswer(Outcome.TOO_LONG)
        except (UnusablePrompt, SampleError) as error:
            self._failures.append(error)
            return ModelAnswer(Outcome.ERROR)
        value = self._question.choice.score(scored.value)
        return ModelAnswer(Outcome.SCORED, value, spread(scored.value), scored.encoded)

    def _log_failures(self, size: int) -> None:
        """One line a request, however many samples failed."""
        if self._failures:
            count = len(self._failures)
            log.error(
                "the reward model gave no score for %d of %d samples; the first: %s", count, size, self._failures[0]
            )
