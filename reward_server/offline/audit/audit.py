"""`reward-server audit`: how much noise was paid, against what was set, and whether it was fresh.

Four questions for each configuration, of which the last two have one right answer and need no statistics:

    how many draws turned a score?      an exact binomial test for each rate that was set
    are the draws uniform?              Kolmogorov and Smirnov
    is each draw its question's?        the hash, again (scope `question`)
    was that paid which it says?        the reward, for a score that is turned and for one that is not

The first two are judged together: noise is *off* where any of m tests has a chance below `LEVEL` / m, so a run whose
noise is as set is called off once in a hundred at most. It is *as set* only where there are draws enough to show, in
four of five runs, a share that is off by `DIFFERENCE`, or by half of the way to 0 or 1 where that is less.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from reward_server.errors import CommandError
from reward_server.offline.audit import binomial, uniform
from reward_server.offline.audit.draws import Broken, Draws
from reward_server.offline.audit.freshness import freshness, joined
from reward_server.offline.replay.plans import Config, Resolve
from reward_server.rewards.flip import FlipReward
from reward_server.rewards.plan import Plan

LEVEL = 0.01
DIFFERENCE = 0.1
Found = dict[str, Any]
_FATES = """
select is_one, rate, count(*), sum(is_flipped), sum(many), sum(torn) from (
    select is_one, rate, is_flipped, min(n), count(*) as many, min(is_flipped) != max(is_flipped) as torn
    from draw where config = ? and part = ? and is_exposed and is_flipped is not null group by u, is_one, rate
) group by is_one, rate
"""
_BOTH = """
select rate, count(*), sum(is_flipped) from (
    select rate, is_flipped, min(n)
    from draw where config = ? and part = ? and is_exposed and is_flipped is not null group by u, rate
) group by rate
"""
_LABELS = """
select count(*), sum(is_mislabelled) from (
    select max(is_mislabelled) as is_mislabelled from draw
    where config = ? and part = ? and is_mislabelled is not null group by question
)
"""


class NoNoise(CommandError, ValueError):
    """No row was paid under noise: what the rows were paid by instead."""


def audit(draws: Draws, resolve: Resolve, per: int) -> Found:
    """All numbers. `per`: see `freshness`. Raises NoNoise."""
    if not draws.configs:
        raise NoNoise(f"none of {draws.rows} rows has a draw of noise (`flip_draw`): nothing to audit")
    found = []
    for config, number in draws.configs.items():
        plan = resolve(config).plan
        for (of, part), broken in draws.broken.items():
            if of == number:
                found.append(_noise(draws, config, number, part, _flip(plan, part), broken, per))
    return judged(found, draws.rows)


def no_noise(rows: int) -> Found:
    """The same of rows that were paid without noise."""
    return judged([], rows)


def judged(found: list[Found], rows: int) -> Found:
    """The verdict, once the number of all tests is known."""
    tests = [test for each in found for test in each["tests"]]
    bar = LEVEL / max(1, len(tests))
    for each in found:
        chances = each.pop("tests")
        broken = each["contradicted"] + each["foreign"] + each["torn"]
        each["is_off"] = min(chances, default=1.0) < bar or broken > 0
        for rate in filter(None, each["rates"].values()):
            rate |= _resolution(rate["draws"], rate["set"], bar)
    return {
        "rows": rows,
        "is_off": any(each["is_off"] for each in found),
        "tests": len(tests),
        "least_chance": bar,
        "noise": found,
    }


def _resolution(draws: int, was_set: float | None, level: float) -> Found:
    """Are there draws enough to tell? `draws_needed`: so many would show a `difference` from what was set."""
    if was_set is None:
        return {"difference": None, "draws_needed": None, "is_enough": False}
    difference = min(DIFFERENCE, was_set / 2, (1 - was_set) / 2)
    needed = binomial.draws_needed(difference, was_set, level) if difference > 0 else 1
    return {"difference": difference, "draws_needed": needed, "is_enough": draws >= needed}


def _noise(
    draws: Draws, config: Config, number: int, part: str, flip: FlipReward | None, broken: Broken, per: int
) -> Found:
    key = number, part
    cells = [*draws.ask(_FATES, *key)]
    both = [*draws.ask(_BOTH, *key)]
    has_one_rate = flip is not None and flip.flip_prob is not None
    draws_n, apart = _uniformity(draws, key)
    rates = {
        "all": _rate([tuple(cell) for cell in both]) if has_one_rate else None,
        "false_positive_prob": _rate([cell[1:4] for cell in cells if cell[0] == 0]),
        "false_negative_prob": _rate([cell[1:4] for cell in cells if cell[0] == 1]),
        "wrong_labels": _labels(draws, key, flip),
    }
    counted = both if has_one_rate else [cell[1:4] for cell in cells]
    tests = [binomial.chance(flipped, n, rate) for rate, n, flipped in counted if rate is not None]
    tests += [rates["wrong_labels"]["chance"]] if rates["wrong_labels"] else []
    return {
        "url": config.name,
        "config": config.config,
        "part": part,
        "scope": None if flip is None else flip.flip_scope,
        "seed": None if flip is None else flip.seed,
        "samples": sum(cell[4] for cell in cells),
        "rates": rates,
        "uniform": {"draws": draws_n, "distance": apart, "chance": uniform.chance(apart, draws_n)},
        "torn": sum(cell[5] for cell in cells),
        "contradicted": broken.contradicted,
        "foreign": broken.foreign,
        "examples": broken.examples,
        "freshness": _freshness(draws, key, flip, per),
        "tests": [*tests, uniform.chance(apart, draws_n)],
    }


def _rate(cells: list[tuple[Any, ...]]) -> Found | None:
    """Of draws: (rate that was set, how many, how many flipped) for each rate. None where there were none."""
    n, flipped = sum(cell[1] for cell in cells), sum(cell[2] for cell in cells)
    if not n:
        return None
    low, high = binomial.interval(flipped, n)
    known = all(cell[0] is not None for cell in cells)
    chances = [binomial.chance(k, size, rate) for rate, size, k in cells if rate is not None]
    return {
        "draws": n,
        "flipped": flipped,
        "share": flipped / n,
        "low": low,
        "high": high,
        "set": sum(cell[0] * cell[1] for cell in cells) / n if known else None,
        "chance": min(1.0, len(chances) * min(chances)) if chances else None,
    }


def _labels(draws: Draws, key: tuple[int, str], flip: FlipReward | None) -> Found | None:
    if flip is None or not flip.label_noise:
        return None
    questions, wrong = next(draws.ask(_LABELS, *key))
    return _rate([(flip.label_noise, questions, wrong)]) if questions else None


def _uniformity(draws: Draws, key: tuple[int, str]) -> tuple[int, float]:
    """How many draws, and how far from uniform."""
    (n,) = next(draws.ask("select count(distinct u) from draw where config = ? and part = ?", *key))
    ordered = draws.ask("select distinct u from draw where config = ? and part = ? order by u", *key)
    return n, uniform.distance((u for (u,) in ordered), n)


def _freshness(draws: Draws, key: tuple[int, str], flip: FlipReward | None, per: int) -> Found | None:
    """None for noise that belongs to an answer, whenever it comes."""
    if flip is not None and flip.flip_scope == "answer":
        return None
    runs = freshness(draws, *key, per)
    stale = [each for each in runs if joined([each]).is_stale]
    told = asdict(joined(runs))
    return {**told, "is_stale": bool(stale), "stale": asdict(joined(stale)) if stale else None}


def _flip(plan: Plan | None, part: str) -> FlipReward | None:
    """The `flip` under that name."""
    for name in filter(None, part.split("/")):
        plan = None if plan is None else plan.parts.get(name)
    return plan.reward if plan is not None and isinstance(plan.reward, FlipReward) else None
