"""How often a score is inverted: one rate, or a schedule of rates by visit.

    0.4                  always
    0.4@0,0.1@100        0.4 from visit 0 on, 0.1 from visit 100 on

A schedule is piecewise constant. Which draw belongs to a visit does not depend on the rate, so a run under a schedule
differs from one at a fixed rate only where the rates do.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, Discriminator, Field, Tag

_STAGE = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,20})?(?:[eE][+-]?[0-9]{1,3})?)@([0-9]{1,15})", re.ASCII)
MAX_STAGES = 100


def checked_schedule(text: str) -> str:
    """The schedule in one spelling: it is part of what `config` is made of. Raises ValueError.

    >>> checked_schedule("0.40@0, 1e-1@100")
    '0.4@0,0.1@100'
    """
    stages = _stages(text)
    if stages[0][1] != 0:
        raise ValueError("a schedule of rates begins at visit 0, as in 0.4@0,0.1@100")
    if any(late <= early for (_, early), (_, late) in pairwise(stages)):
        raise ValueError("the visits of a schedule of rates ascend, as in 0.4@0,0.1@100")
    if not all(0 <= rate <= 1 for rate, _ in stages):
        raise ValueError("each rate of a schedule is in 0 … 1")
    return ",".join(
        f"{rate:g}@{visit}" if float(f"{rate:g}") == rate else f"{rate!r}@{visit}" for rate, visit in stages
    )


def _kind(value: object) -> str:
    return "schedule" if isinstance(value, str) and "@" in value else "number"


Rate: TypeAlias = Annotated[
    Annotated[Annotated[float, Field(ge=0, le=1)], Tag("number")]
    | Annotated[str, AfterValidator(checked_schedule), Tag("schedule")],
    Discriminator(_kind),
]
"""A number in 0 … 1, or a schedule."""


def at_visit(rate: float | str, visit: int) -> float:
    """The rate that holds at a visit; before visit 0, for callers that count otherwise, the first.

    >>> [at_visit("0.4@0,0.1@100", visit) for visit in (0, 99, 100, 5000)], at_visit(0.2, 7)
    ([0.4, 0.4, 0.1, 0.1], 0.2)
    """
    if not isinstance(rate, str):
        return rate
    stages = _stages(rate)
    return next((value for value, first in reversed(stages) if first <= visit), stages[0][0])


def highest(rate: float | str) -> float:
    """The greatest rate at any visit."""
    return max(value for value, _ in _stages(rate)) if isinstance(rate, str) else rate


@lru_cache(256)
def _stages(text: str) -> tuple[tuple[float, int], ...]:
    """(rate, first visit) of each stage. Raises ValueError."""
    parts = text.split(",", MAX_STAGES)
    found = [_STAGE.fullmatch(part.strip()) for part in parts]
    if len(parts) > MAX_STAGES or None in found:
        raise ValueError(f"a schedule of rates is RATE@VISIT, at most {MAX_STAGES} of them, as in 0.4@0,0.1@100")
    return tuple((float(match[1]), int(match[2])) for match in found if match)
