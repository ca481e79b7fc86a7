"""`rm`: samples to a reward model and back, one Derivation each; what fails for one sample fails for no other."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

from reward_server.admission import TokenLimit
from reward_server.catalog import Plan
from reward_server.derivation import Derivation, Reading
from reward_server.errors import InvalidRequest, Unavailable
from reward_server.parameters import RmParameters
from reward_server.reward_model.answer_format import answer_in
from reward_server.reward_model.chat import UnusablePrompt, chat_of, control_token
from reward_server.reward_model.engine import EngineUnavailable, ForgedTurn, SampleError, TooLong
from reward_server.reward_model.model import ModelScore, RewardModel
from reward_server.rewards.rm_settlement import settle_rm
from reward_server.rewards.rpr import Rpr
from reward_server.types import Outcome, Sample

log = logging.getLogger(__name__)


def check_prompts(plan: Plan, samples: list[Sample]) -> None:
    """Raises InvalidRequest where a sample has no prompt."""
    for row, sample in enumerate(samples):
        if sample.prompt is None:
            raise InvalidRequest(f"{plan.name} needs a prompt (prompts, or in the label): row {row} has none")


class ModelRequest:
    """The samples of one request on their way to the model and back."""

    def __init__(self, model: RewardModel, parameters: RmParameters, limit: TokenLimit) -> None:
        self._model = model
        self._parameters = parameters
        self._limit = limit
        self._tokens = 0
        self._failures: list[Exception] = []

    async def derive(self, samples: list[Sample], readings: list[Reading], rprs: list[Rpr | None]) -> list[Derivation]:
        """One Derivation a sample, in order. Raises TooLarge, and Unavailable when the engine as a whole is gone."""
        rows = zip(samples, readings, rprs, strict=True)
        tasks = [asyncio.create_task(self._derive(*row)) for row in rows]
        try:
            return await asyncio.gather(*tasks)
        except EngineUnavailable as error:
            raise Unavailable(f"the reward model does not answer: {error}", retry_after_s=10) from None
        finally:
            for task in tasks:  # what ends one for all ends all
                task.cancel()
            self._log_failures(len(samples))

    async def _derive(self, sample: Sample, reading: Reading, rpr: Rpr | None) -> Derivation:
        assert rpr is not None  # noqa: S101 - for mypy: rm always pays for phrases
        outcome, scored = await self._ask(sample, reading.text)
        value = scored.value if scored else None
        score = settle_rm(outcome, value, rpr, self._parameters, wanted=sample.flip)
        if sample.is_lost:  # its phrases are unknown too
            score = replace(score, parts=dict.fromkeys(score.parts))
        return Derivation(reading, score, rpr=rpr, model=scored)

    async def _ask(self, sample: Sample, text: str) -> tuple[Outcome, ModelScore | None]:
        if sample.is_lost:
            return Outcome.ERROR, None
        answer = answer_in(text, self._parameters.format)
        if answer is None or control_token(answer) is not None:  # the model would read another turn in it
            return Outcome.BAD_FORMAT, None
        assert sample.prompt is not None  # noqa: S101 - for mypy: `check_prompts` came first
        try:
            encoded = await self._model.encode(chat_of(sample.prompt), answer, self._parameters.too_long)
            self._tokens += encoded.tokens
            self._limit.check(self._tokens)
            return Outcome.SCORED, await self._model.score(encoded, self._parameters.mode)
        except ForgedTurn:
            return Outcome.BAD_FORMAT, None
        except TooLong:
            return Outcome.TOO_LONG, None
        except (UnusablePrompt, SampleError) as error:
            self._failures.append(error)
            return Outcome.ERROR, None

    def _log_failures(self, size: int) -> None:
        """One line a request, however many samples failed."""
        if self._failures:
            count = len(self._failures)
            log.error(
                "the reward model gave no score for %d of %d samples; the first: %s", count, size, self._failures[0]
            )
