"""`rm`: samples to a reward model and back, one Derivation each; what fails for one sample fails for no other."""

from __future__ import annotations

import asyncio
import logging

from reward_server.catalog import Plan
from reward_server.derivation import Derivation, Reading
from reward_server.errors import InvalidRequest, Unavailable
from reward_server.parameters import RmParameters
from reward_server.rewards.answer_format import answer_in
from reward_server.rewards.chat import UnusablePrompt, chat_of, control_token
from reward_server.rewards.rm_settlement import settle_rm
from reward_server.rewards.rpr import Rpr
from reward_server.types import Outcome, Sample
from reward_server.workers.engine import EngineUnavailable, SampleError, TooLong
from reward_server.workers.reward_model import ModelScore, RewardModel

log = logging.getLogger(__name__)


def check_prompts(plan: Plan, samples: list[Sample]) -> None:
    """Raises InvalidRequest where a sample has no prompt."""
    for row, sample in enumerate(samples):
        if sample.prompt is None:
            raise InvalidRequest(f"{plan.name} needs a prompt (prompts, or in the label): row {row} has none")


async def derive_all(
    model: RewardModel, parameters: RmParameters, samples: list[Sample], readings: list[Reading], rprs: list[Rpr]
) -> list[Derivation]:
    """In order. Raises Unavailable when the engine as a whole is gone."""
    rows = zip(samples, readings, rprs, strict=True)
    try:
        return list(await asyncio.gather(*(_derive(model, parameters, *row) for row in rows)))
    except EngineUnavailable as error:
        raise Unavailable(f"the reward model does not answer: {error}", retry_after_s=10) from None


async def _derive(
    model: RewardModel, parameters: RmParameters, sample: Sample, reading: Reading, rpr: Rpr
) -> Derivation:
    outcome, scored = await _ask(model, parameters, sample, reading.text)
    score = settle_rm(outcome, scored.value if scored else None, rpr, parameters)
    return Derivation(reading, score, rpr=rpr, model=scored)


async def _ask(
    model: RewardModel, parameters: RmParameters, sample: Sample, text: str
) -> tuple[Outcome, ModelScore | None]:
    answer = answer_in(text, parameters.format)
    if answer is None or control_token(answer) is not None:  # the model would read another turn in it
        return Outcome.BAD_FORMAT, None
    try:
        messages = chat_of(sample.prompt or "")
        scored = await model.score(messages, answer, mode=parameters.mode, too_long=parameters.too_long)
    except TooLong:
        return Outcome.TOO_LONG, None
    except (UnusablePrompt, SampleError) as error:
        log.error("the reward model gave no score: %s", error)
        return Outcome.ERROR, None
    return Outcome.SCORED, scored
