"""What tests of the reward model's engines share: a loop to run in, something to wait for, token ids."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Callable, Coroutine
from typing import Any

from reward_server.reward_model.engine import Engine, Mode, TokenIds
from reward_server.reward_model.labels import values_of


def run(body: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(body(), 600))


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0.001)


async def scores(
    engine: Engine, prompt: TokenIds[int], *completions: TokenIds[int], mode: Mode = "deterministic"
) -> list[float]:
    """Those of several completions of one prompt, asked for at once."""
    found = await asyncio.gather(*(engine.score(prompt, completion, mode) for completion in completions))
    return [single for score in found for single in values_of(score)]


def ids(*tokens: int) -> TokenIds[int]:
    return array("i", tokens)
