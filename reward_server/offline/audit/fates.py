"""What noise did to one row: its draw, the rate that was set, and whether what was paid was turned.

Whether a row was turned is read from its reward, not from what the server says beside it. Where the reward cannot tell
(RPR paid a full point, a warm-up, a part of a mix, a wrong label, a score between 0 and 1), `flipped` is taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reward_server.records.row import Row
from reward_server.rewards.flip import FlipReward
from reward_server.rewards.grid import to_grid, topped_up
from reward_server.rewards.noise import NoiseRates, backward_corrected, flip_draw, forward_weight, group_of_prompt
from reward_server.rewards.plan import Plan
from reward_server.rewards.route import RouteReward
from reward_server.types import Outcome

DRAW = "flip_draw"


@dataclass(frozen=True, slots=True)
class Fate:
    """`part`: of a mix, with `/`; empty for a reward of its own. `is_one`: the score was 1 (or at least 0.5).

    `rate`: what was set, None where that cannot be known. `is_flipped`: None where the score is not known.
    `is_contradicted`: it was not paid what draw and rate say. `is_foreign`: the draw is not that of its question and
    visit. `is_mislabelled`: None where no labels are made wrong.
    """

    part: str
    draw: float
    is_one: bool | None
    rate: float | None
    is_exposed: bool
    is_flipped: bool | None
    is_contradicted: bool
    is_foreign: bool
    is_mislabelled: bool | None


def flips_of(plan: Plan | None, source: str | None, part: str = "") -> Iterator[tuple[str, FlipReward]]:
    """Every `flip` that a plan is or holds, under the name that a row's parts have in front. `source`: for a route."""
    if plan is None:
        return
    if isinstance(plan.reward, FlipReward):
        yield part, plan.reward
    elif isinstance(plan.reward, RouteReward):  # it pays by one of its parts, under that one's names
        yield from flips_of(plan.parts.get(source or ""), source, part)
    else:
        for name, inner in plan.parts.items():
            yield from flips_of(inner, source, f"{part}{name}/")


def fates_of(row: Row, plan: Plan | None) -> Iterator[Fate]:
    """One for each `flip` that the row was paid by; none for a row without noise."""
    flips: dict[str, FlipReward] | None = None
    for name, draw in row.parts.items():
        if name.endswith(DRAW) and draw is not None:
            flips = dict(flips_of(plan, row.source)) if flips is None else flips
            part = name[: -len(DRAW)]
            yield _fate(row, part, draw, flips.get(part))


def _fate(row: Row, part: str, draw: float, flip: FlipReward | None) -> Fate:
    parts = row.parts
    is_wrong = parts.get(f"{part}wrong_label")
    clean = None if is_wrong == 1 else parts.get(f"{part}clean")
    rates = None if flip is None else flip.rates(row.visit)
    rate = _rate(row, part, clean, rates)
    is_exposed = _is_exposed(row, part, flip)
    said = parts.get(f"{part}flipped")
    paid = None
    if flip is not None and rates is not None and not part and is_exposed and clean in (0, 1):
        paid = _paid_flipped(row, flip, clean, rates)
    is_flipped = None if not is_exposed or clean is None else paid if isinstance(paid, bool) else said == 1
    told = said == 1 if paid is None else paid
    return Fate(
        part,
        draw,
        is_one=None if clean is None else clean >= 0.5,
        rate=rate,
        is_exposed=is_exposed,
        is_flipped=is_flipped,
        is_contradicted=is_exposed and clean is not None and rate is not None and told != (draw < rate),
        is_foreign=_is_foreign(row, draw, flip),
        is_mislabelled=None if is_wrong is None or not row.flip else is_wrong == 1,
    )


def _rate(row: Row, part: str, clean: float | None, rates: NoiseRates | None) -> float | None:
    """What the configuration sets; else what the row says that it was compared with."""
    if rates is not None:
        return None if clean is None else rates.of(clean)
    return float(row.noise["threshold"]) if row.noise is not None and not part and clean is not None else None


def _is_exposed(row: Row, part: str, flip: FlipReward | None) -> bool:
    if row.noise is not None and not part:
        return bool(row.noise["exposed"])
    if not row.flip or row.parts.get(f"{part}flip_if") == 0 or row.parts.get(f"{part}warmup") == 1:
        return False
    may = flip is not None and flip.flip_unanswered and row.outcome == Outcome.UNANSWERED
    return may or (row.outcome in set(Outcome) and Outcome(row.outcome).is_exposed)


def _paid_flipped(row: Row, flip: FlipReward, clean: float | None, rates: NoiseRates) -> bool | str | None:
    """None where either would have been paid the same; "neither" where it was paid neither."""
    as_0, as_1 = (to_grid(_earned(row, flip, noisy, rates)) for noisy in (0.0, 1.0))
    if as_0 == as_1 or row.paid is None:
        return None
    if row.paid not in (as_0, as_1):
        return "neither"
    return (row.paid == as_1) != (clean == 1)


def _earned(row: Row, flip: FlipReward, noisy: float, rates: NoiseRates) -> float:
    if flip.correction == "backward":
        return backward_corrected(noisy, rates)
    if flip.correction == "forward":
        return forward_weight(noisy, rates)
    return topped_up(noisy, row.parts.get("rpr") or 0.0, flip.alpha)


def _is_foreign(row: Row, draw: float, flip: FlipReward | None) -> bool:
    """Only noise that is keyed by question and visit alone can be told from a row without its text."""
    if flip is None or flip.flip_scope != "question":
        return False
    group = row.group if row.group is not None else None if row.prompt is None else group_of_prompt(row.prompt)
    return group is not None and draw != flip_draw(seed=flip.seed, group=group, visit=row.visit or 0)
