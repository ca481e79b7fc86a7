"""What another reward does to the groups of each step: where it turns a rollout's advantage, and which groups teach.

    advantage of a rollout = its reward - the mean of its group          evaluation rows and rows without a reward: none

A group shares run, question, visit, step and configuration. Where rows have no step, a question that comes back after
more than `per` rows is another group. Only groups of two rows or more count. Rewards lie on a grid of 1/1024, so means
and comparisons are exact.

`sign`: a rollout of the group was above its mean and is below now, or the reverse. `gains-variance`: all rewards of the
group were equal, so that it taught nothing, and now are not. `loses-variance`: the reverse. `teaching-before`,
`teaching-after`: it had, or has, any variance.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from math import fsum
from operator import itemgetter
from typing import Any

from reward_server.offline.replay.ledger import Ledger

GROUPS = "groups"
KINDS = ("sign", "gains-variance", "loses-variance", "teaching-before", "teaching-after")
Counts = dict[str, int]
NONE: Counts = dict.fromkeys((GROUPS, *KINDS), 0)
_PLACE = itemgetter(5, 6, 7, 8, 9)
_AT_ONCE = 10_000


def note_groups(book: Ledger, per: int) -> dict[tuple[str, int | None], Counts]:
    """How many groups begin in each bucket of a run, and how many of each kind. The ledger keeps each row's."""
    counts: dict[tuple[str, int | None], Counter[str]] = {}
    noted: list[tuple[int, int | None, int | None, int]] = []
    for rows in _groups(book, per):
        bucket, run = rows[0][4:6]
        held = counts.setdefault((run, bucket), Counter(NONE))
        kinds = kinds_of([row[1] for row in rows], [row[2] for row in rows], is_known=bool(rows[0][3]))
        if len(rows) > 1:
            held[GROUPS] += 1
            held.update(kinds)
        flags = sum(1 << number for number, kind in enumerate(KINDS) if kind in kinds)
        noted += [(row[0], row[4], bucket, flags) for row in rows]
        if len(noted) > _AT_ONCE:
            book.place(noted)
            noted.clear()
    book.place(noted)
    return {key: dict(held) for key, held in counts.items()}


def total(counts: Iterable[Counts]) -> Counts:
    """Of several buckets."""
    found = Counter(NONE)
    for each in counts:
        found.update(each)
    return dict(found)


def flag_of(kind: str) -> int:
    """The bit that stands for a kind in the ledger."""
    return 1 << KINDS.index(kind)


def kinds_of(old_G: Sequence[float | None], new_G: Sequence[float | None], *, is_known: bool = True) -> list[str]:
    """Which of KINDS a group is. None: the row has no reward. `is_known`: rows say what they were paid.

    >>> kinds_of([0, 1], [1, 0])
    ['sign', 'teaching-before', 'teaching-after']
    >>> kinds_of([1, 1, None], [0, 1, 1]), kinds_of([0, 1], [None, 0])
    (['gains-variance', 'teaching-after'], ['loses-variance', 'teaching-before'])
    """
    before, after = _signs(old_G), _signs(new_G)
    taught, teaches = any(before), any(after)
    if not taught and not teaches:
        return []
    turned = taught and teaches and any(a * b < 0 for a, b in zip(before, after, strict=True))
    held = turned, teaches and not taught and is_known, taught and not teaches, taught, teaches
    return [kind for kind, holds in zip(KINDS, held, strict=True) if holds]


def _signs(rewards_G: Sequence[float | None]) -> list[int]:
    """Of each advantage; 0 where there is none."""
    first = rewards_G[0]
    if first is not None and all(reward == first for reward in rewards_G):
        return [0] * len(rewards_G)
    known = [reward for reward in rewards_G if reward is not None]
    summed, size = fsum(known), len(known)
    return [0 if reward is None else (size * reward > summed) - (size * reward < summed) for reward in rewards_G]


def _groups(book: Ledger, per: int) -> Iterator[list[tuple[Any, ...]]]:
    """Their rows: n, old, new, bucket, what a group shares, and the place in the order of arrival."""
    shared = "run, question, visit, step, configuration, arrival"
    query = f"select n, old, new, has_old, bucket, {shared} from ({book.training(per)}) order by {shared}"
    for (_, question, _, step, _), rows in groupby(book.ask(query), _PLACE):
        if question is None:  # each row stands for itself
            yield from ([row] for row in rows)
        elif step is not None:
            yield [*rows]
        else:
            yield from _apart(rows, per)


def _apart(rows: Iterable[tuple[Any, ...]], per: int) -> Iterator[list[tuple[Any, ...]]]:
    """Where rows of a question are further from each other than a step is long, another group begins."""
    some: list[tuple[Any, ...]] = []
    for row in rows:
        if some and row[-1] - some[-1][-1] > per:
            yield some
            some = []
        some.append(row)
    yield some
