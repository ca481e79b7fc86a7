"""Samples that wait for the reward model, for tests of its queue."""

from __future__ import annotations

import asyncio
from array import array

from reward_server.reward_model.engine import Mode, RawScore
from reward_server.reward_model.local.waiting import Waiting, WaitingPrompt

LOOP = asyncio.new_event_loop()
LOOP.close()  # a future needs one; nothing here runs on it


def waiting(prompt: int, *lengths: int, arrived: float = 0.0, mode: Mode = "deterministic") -> WaitingPrompt:
    """A prompt of `prompt` tokens with samples of these lengths."""
    future: asyncio.Future[RawScore] = asyncio.Future(loop=LOOP)
    samples = [Waiting(future, b"", array("i", [0] * length), arrived) for length in lengths]
    made = WaitingPrompt(mode, array("i", [0] * prompt))
    for sample in samples:
        made.add(sample)
    return made
