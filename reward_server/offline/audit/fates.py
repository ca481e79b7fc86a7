"""What noise did to one row: its draw, the rate that was set, and whether what was paid was turned.

Whether a row was turned is read from its reward, not from what the server says beside it. Where the reward cannot tell
(RPR paid a full point, a warm-up, a wrong label, a score between 0 and 1), `flipped` is taken. Of a part of a mix the
line says what that part paid. Lines of older versions do not say which parts noise could flip: there it is `flipped`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reward_server.records.noise import DRAW, FLIPPED, Facts, behind, draws_in
from reward_server.records.row import Row
from reward_server.rewards.flip import FlipReward
from reward_server.rewards.grid import to_grid, topped_up
from reward_server.rewards.noise import NoiseRates, backward_corrected, flip_draw, forward_weight, group_of_prompt
from reward_server.rewards.plan import Plan
from reward_server.rewards.route import RouteReward
from reward_server.types import Outcome


@dataclass(frozen=True, slots=True)
class Fate:
    """`part`: of a mix; empty for a reward of its own. `is_one`: the score was 1 (or at least 0.5).

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
    """Every `flip` that a plan is or holds, by the name that it has in a row's parts. `source`: for a route."""
    if plan is None:
        return
    if isinstance(plan.reward, FlipReward):
        yield part, plan.reward
    elif isinstance(plan.reward, RouteReward):  # it pays by one of its parts, under that one's names
        yield from flips_of(plan.parts.get(source or ""), source, part)
    else:
        for name, inner in plan.parts.items():
            yield from flips_of(inner, source, behind(part, name))


def fates_of(row: Row, plan: Plan | None) -> Iterator[Fate]:
    """One for each `flip` that the row was paid by; none for a row without noise."""
    flips: dict[str, FlipReward] | None = None
    for part in draws_in(row.parts):
        flips = dict(flips_of(plan, row.source)) if flips is None else flips
        yield _fate(row, part, flips.get(part))


def _fate(row: Row, part: str, flip: FlipReward | None) -> Fate:
    parts = row.parts
    draw = parts[behind(part, DRAW)] or 0.0
    noise = row.noise if not part else (row.part_noise or {}).get(part)
    is_wrong = parts.get(behind(part, "wrong_label"))
    clean = None if is_wrong == 1 else parts.get(behind(part, "clean"))
    rates = None if flip is None else flip.rates(row.visit)
    rate = _rate(noise, clean, rates)
    is_exposed = _is_exposed(row, part, noise, flip)
    paid = None
    if flip is not None and rates is not None and is_exposed and clean in (0, 1) and (noise or not part):
        paid = _paid_flipped(row, part, flip, clean, rates)
    says = parts.get(behind(part, FLIPPED)) == 1
    is_flipped = None if not is_exposed or clean is None else paid if isinstance(paid, bool) else says
    told = says if paid is None else paid
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


def _rate(noise: Facts | None, clean: float | None, rates: NoiseRates | None) -> float | None:
    """What the configuration sets; else what the row says that it was compared with."""
    if clean is None:
        return None
    if rates is not None:
        return rates.of(clean)
    return None if noise is None else float(noise["threshold"])


def _is_exposed(row: Row, part: str, noise: Facts | None, flip: FlipReward | None) -> bool:
    if noise is not None:
        return bool(noise["exposed"])
    if not row.flip or row.parts.get(behind(part, "flip_if")) == 0 or row.parts.get(behind(part, "warmup")) == 1:
        return False
    may = flip is not None and flip.flip_unanswered and row.outcome == Outcome.UNANSWERED
    return may or (row.outcome in set(Outcome) and Outcome(row.outcome).is_exposed)


def _paid_flipped(row: Row, part: str, flip: FlipReward, clean: float | None, rates: NoiseRates) -> bool | str | None:
    """None where either would have been paid the same; "neither" where it was paid neither."""
    rpr = row.parts.get(behind(part, "rpr")) or 0.0
    as_0, as_1 = (_earned(rpr, flip, noisy, rates) for noisy in (0.0, 1.0))
    paid = row.parts.get(part) if part else row.paid
    if not part:  # parts are not rounded
        as_0, as_1 = to_grid(as_0), to_grid(as_1)
    if as_0 == as_1 or paid is None:
        return None
    if paid == 0 and flip.flip_unanswered and clean == 0 and flip.correction == "none":
        return False  # without an answer RPR is not paid
    if paid not in (as_0, as_1):
        return "neither"
    return (paid == as_1) != (clean == 1)


def _earned(rpr: float, flip: FlipReward, noisy: float, rates: NoiseRates) -> float:
    if flip.correction == "backward":
        return backward_corrected(noisy, rates)
    if flip.correction == "forward":
        return forward_weight(noisy, rates)
    return topped_up(noisy, rpr, flip.alpha)


def _is_foreign(row: Row, draw: float, flip: FlipReward | None) -> bool:
    """Only noise that is keyed by question and visit alone can be told from a row without its text."""
    if flip is None or flip.flip_scope != "question":
        return False
    group = row.group if row.group is not None else None if row.prompt is None else group_of_prompt(row.prompt)
    return group is not None and draw != flip_draw(seed=flip.seed, group=group, visit=row.visit or 0)
