"""Paying rows again: some at a time, each by the plan that is its own, in the order in which they came."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass

from reward_server.errors import InvalidRequest, NoRewardModel
from reward_server.offline.replay.plans import Choice, Config, Resolve
from reward_server.offline.replay.recorded import Recorded
from reward_server.rewards.found import Derivation
from reward_server.rewards.plan import Plan
from reward_server.scoring import Scorer
from reward_server.types import Sample

ROWS_AT_ONCE = 512
CHARS_AT_ONCE = 2**22
"""Of completions, so that the memory depends on no file's length."""
ROWS_AT_ONCE_RM = 64
_NO_TEXT = Choice(None, False, "recorded without its texts (record_text=false)")


@dataclass(frozen=True, slots=True)
class PaidAgain:
    """One row with what it is paid now. `derivation`: None where it cannot be paid, for the reason `choice.why`."""

    recorded: Recorded
    choice: Choice
    derivation: Derivation | None


async def paid_again(
    scorer: Scorer, resolve: Resolve, rows: Iterable[Recorded], at_once: int = ROWS_AT_ONCE
) -> AsyncIterator[list[PaidAgain]]:
    """Every row, some at a time, in order."""
    for chunk in _chunks(rows, at_once):
        paid: list[PaidAgain | None] = [None] * len(chunk)
        by_config: dict[Config, list[int]] = {}
        for number, each in enumerate(chunk):
            by_config.setdefault(Config.of(each.row), []).append(number)
        for config, numbers in by_config.items():
            found = await _paid(scorer, resolve(config), [chunk[number] for number in numbers])
            for number, again in zip(numbers, found, strict=True):
                paid[number] = again
        yield [each for each in paid if each is not None]


async def _paid(scorer: Scorer, choice: Choice, rows: list[Recorded]) -> list[PaidAgain]:
    """Rows of one plan. What lacks something is left out, and its neighbours are paid."""
    if choice.plan is None:
        return [PaidAgain(row, choice, None) for row in rows]
    found: dict[int, Derivation | Choice] = {n: _NO_TEXT for n, row in enumerate(rows) if not row.row.has_text}
    able = [number for number in range(len(rows)) if number not in found]
    derived = await _derived(scorer, choice.plan, [rows[number].row.sample for number in able])
    found.update(zip(able, derived, strict=True))
    return [_one(row, choice, found[number]) for number, row in enumerate(rows)]


def _one(row: Recorded, choice: Choice, found: Derivation | Choice) -> PaidAgain:
    return PaidAgain(row, found, None) if isinstance(found, Choice) else PaidAgain(row, choice, found)


async def _derived(scorer: Scorer, plan: Plan, samples: list[Sample]) -> list[Derivation | Choice]:
    """Each sample's derivation, or why there is none."""
    try:
        return [*await scorer.derive(plan, samples)] if samples else []
    except NoRewardModel as error:
        return [Choice(None, False, error.message)] * len(samples)
    except InvalidRequest as error:
        if len(samples) == 1:
            return [Choice(None, False, error.message.replace("row 0", "it"))]
    middle = len(samples) // 2  # one of them lacks something: the others are found by halves
    return [*await _derived(scorer, plan, samples[:middle]), *await _derived(scorer, plan, samples[middle:])]


def _chunks(rows: Iterable[Recorded], most: int) -> Iterator[list[Recorded]]:
    chunk: list[Recorded] = []
    chars = 0
    for row in rows:
        chunk.append(row)
        chars += row.row.chars
        if len(chunk) >= most or chars >= CHARS_AT_ONCE:
            yield chunk
            chunk, chars = [], 0
    if chunk:
        yield chunk
