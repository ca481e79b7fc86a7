"""Requests to `/score/rm` as trainers send them, each with texts that nobody has scored yet, and who sends them.

Not httpx: it takes milliseconds a request where hundreds wait for a connection, and would measure itself.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from itertools import count

from benchmarks.reward_model_http import words
from benchmarks.wire import Answer, Connection

PROMPT, COMPLETION, GROUP = 300, 100, 8
PATH = "/score/rm?format=plain"

_fresh = count()


def fresh_requests(prompts: int, split: bool) -> list[bytes]:
    """The bodies, a group of 8 for each prompt: one request, or `split` into one a sample. Finished scores are kept, so
    no text comes twice."""
    known, made = words(), []
    for _ in range(prompts):
        n = next(_fresh) * 7919
        prompt = " ".join(known[(n + i * i) % 4000] for i in range(PROMPT))
        completions = [
            " ".join(known[(n + 31 * c + i * (c + 2)) % 4000] for i in range(COMPLETION)) for c in range(GROUP)
        ]
        parts = [[completion] for completion in completions] if split else [completions]
        made += [json.dumps({"prompts": [prompt] * len(part), "completions": part}).encode() for part in parts]
    return made


async def rewards_of(
    url: str, requests: Sequence[bytes], *, connections: int = 64, may_refuse: bool = False
) -> list[list[float] | None]:
    """The rewards of each request; None, where `may_refuse`, for one that has no answer.

    Raises AssertionError where a sample has no reward: the figures would mean nothing.
    """
    left = iter(enumerate(requests))
    found: list[list[float] | None] = [None] * len(requests)

    async def one() -> None:
        connection = Connection(url)
        for k, body in left:
            try:
                found[k] = _rewards(await connection.post(PATH, body))
            except (OSError, EOFError):
                connection.close()
                if not may_refuse:
                    raise
            if found[k] is None and not may_refuse:
                raise AssertionError(f"request {k} of {len(requests)} was refused")
        connection.close()

    await asyncio.gather(*(one() for _ in range(min(connections, len(requests)))))
    return found


def _rewards(answer: Answer) -> list[float] | None:
    if answer.status != 200:
        return None
    rewards: list[float] = answer.json()["rewards"]
    if None in rewards:
        raise AssertionError(f"a sample has no reward: {answer.body[:500]!r}")
    return rewards
