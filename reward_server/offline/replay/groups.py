"""What another reward does to a group's advantages. A group shares run, question, visit, step and configuration.

    advantage of a rollout = its reward - the mean of its group          evaluation rows and rows without a reward: none

`sign`: a rollout of the group had a positive advantage and now has a negative one, or the reverse. `gains-variance`:
all rewards of the group were equal, so that it taught nothing, and now are not. `loses-variance`: the reverse. Rewards
lie on a grid of 1/1024, so means and comparisons are exact.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from math import fsum
from operator import itemgetter

from reward_server.offline.replay.ledger import Ledger

KINDS = ("sign", "gains-variance", "loses-variance")
_ROWS = (
    "select n, old, new, run, question, visit, step, configuration from row where is_train and has_old"
    " and old is not null and new is not null and question is not null"
    " order by run, question, visit, step, configuration, n"
)


def note_groups(book: Ledger) -> dict[str, int]:
    """How many groups of two or more there are and how many change in which way. Their rows are noted in the ledger."""
    counts: Counter[str] = Counter(dict.fromkeys(("groups", *KINDS), 0))
    noted: dict[str, list[int]] = {kind: [] for kind in KINDS}
    for _, rows in groupby(book.ask(_ROWS), itemgetter(3, 4, 5, 6, 7)):
        numbers, old, new, *_ = zip(*rows, strict=True)
        if len(numbers) < 2:
            continue
        counts["groups"] += 1
        for kind in changes(old, new):
            counts[kind] += 1
            noted[kind] += numbers
            if len(noted[kind]) > 10_000:
                book.note(kind, noted[kind])
                noted[kind].clear()
    for kind, left in noted.items():
        book.note(kind, left)
    return dict(counts)


def changes(old_G: Sequence[float], new_G: Sequence[float]) -> list[str]:
    """Which of KINDS a group shows.

    >>> changes([0, 1], [1, 0]), changes([1, 1], [0, 1]), changes([0, 1], [0, 0]), changes([0, 1], [0, 0.5])
    (['sign'], ['gains-variance'], ['loses-variance'], [])
    """
    before, after = _signs(old_G), _signs(new_G)
    turned = any(a * b < 0 for a, b in zip(before, after, strict=True))
    was_flat, is_flat = not any(before), not any(after)
    held = turned, was_flat and not is_flat, is_flat and not was_flat
    return [kind for kind, holds in zip(KINDS, held, strict=True) if holds]


def _signs(rewards_G: Sequence[float]) -> list[int]:
    total, size = fsum(rewards_G), len(rewards_G)
    return [(size * reward > total) - (size * reward < total) for reward in rewards_G]
