"""Does a vLLM server know `use_activation`? One that does not gives a sigmoid in the place of the score, in silence."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from reward_server.reward_model.engine import NotFinite, RemoteRefused, UnfitModel

Classify: TypeAlias = "Callable[[list[int], object], Awaitable[float]]"
"""`classify(ids, use_activation)`: the number in the server's answer. May raise RemoteRefused and NotFinite."""

PROBES = (list(range(11, 16)), list(range(40, 30, -1)))
"""Token ids that every vocabulary has."""

_NOISE = 0.05
"""Two scores of one text are apart when they differ by more, relative to scores above 1. One text was seen to differ by
0.009 between two calls; a score of 16 has steps of 0.06 in bfloat16."""


async def refuse_ignorance(classify: Classify) -> None:
    """Raises UnfitModel for a server that ignores the switch, or has no finite scores.

    A number and its sigmoid: it knows the switch. Otherwise (equal numbers are also what a model without activation
    gives, `problem_type` regression, and a model may name another activation) nonsense decides: who knows the switch
    refuses a value that is not a boolean.
    """
    try:
        raw = [await classify(ids, False) for ids in PROBES]
        activated = [await classify(ids, True) for ids in PROBES]
        is_known = is_sigmoid(raw, activated) or await _refuses_nonsense(classify)
    except RemoteRefused as error:
        raise UnfitModel(f"the vLLM server does not classify: {error}") from error
    except NotFinite as error:
        raise UnfitModel(f"the vLLM server has no score for a few token ids: {error}") from error
    if not is_known:
        raise UnfitModel(
            "the vLLM server ignores `use_activation`: its scores would be squashed in silence. Use vLLM 0.12 or"
            " later, as `vllm serve MODEL --runner pooling --convert classify`"
        )


async def _refuses_nonsense(classify: Classify) -> bool:
    try:
        await classify(PROBES[0], "neither")
    except RemoteRefused:
        return True
    return False


def is_sigmoid(raw: Sequence[float], activated: Sequence[float]) -> bool:
    """True where every one of `activated` is the sigmoid of its `raw`, and at least one differs from its `raw` by
    more than noise.

    >>> is_sigmoid([3.0, -2.0], [0.953, 0.119]), is_sigmoid([0.953, 0.119], [0.953, 0.12]), is_sigmoid([0.66], [0.66])
    (True, False, False)
    """
    pairs = list(zip(raw, activated, strict=True))
    is_other = any(abs(a - r) > _NOISE * max(1.0, abs(r)) for r, a in pairs)
    # by tanh, since exp of a large score would overflow
    return is_other and all(abs(a - (1 + math.tanh(r / 2)) / 2) <= _NOISE for r, a in pairs)
