"""Sums over units of a run, made while its lines are read, so that no page has to count rows.

A unit is a step, or 64 rows in order of arrival where rows have no step (then a negative number, so that both can stand
in one run). Each sum is one vector of float64 for a (run, config, training or not, unit); the fields are `Field`, then
one place an outcome, then the histogram of lengths. Buckets of a page are sums of these vectors.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from reward_server.types import Outcome
from reward_server.view.facts import CUT_OFF, Facts

UNIT_ROWS = 64
GAP_ROWS = 1000
"""A question that comes back after so many rows of its run, under the same visit and step, is another occurrence."""


class Field:  # plain integers: members of an enumeration take three times as long to index with
    """Places in a vector.

    `EXPECTED`: sum of the flips' probabilities. `VARIANCE`: of the number of flips, rows of one draw flipping together.
    `GROUPS`: occurrences of a question with two rows or more. `FLAT`: those that were all paid the same. `TEXTS`: rows
    recorded with their texts, of which alone it is known whether they are cut off.
    """

    ROWS = 0
    PAID_ROWS = 1
    PAID = 2
    CLEAN_ROWS = 3
    CLEAN = 4
    EXPOSED = 5
    FLIPPED = 6
    EXPECTED = 7
    VARIANCE = 8
    DRAWS = 9
    GROUPS = 10
    FLAT = 11
    CUT_OFF = 12
    TEXTS = 13


FIELDS = 14
"""How many there are."""


OUTCOMES = {outcome.value: FIELDS + place for place, outcome in enumerate(Outcome)}
OTHER_OUTCOME = FIELDS + len(OUTCOMES)
FIRST_BIN = OTHER_OUTCOME + 1
BINS = 120
"""Four bins for each doubling of the length."""
WIDTH = FIRST_BIN + BINS

Key = tuple[int, int, int, int]
"""run, config, is_train, unit"""
Vector = NDArray[np.float64]


class _Occurrence(msgspec.Struct):
    """One visit of a question, still open: its rows may go on. `key`: the sums that it counts in, those of its first
    row. `draws`: by draw, how many rows there are of each threshold."""

    key: Key
    arrival: int
    rows: int = 0
    paid: float | None = None
    is_flat: bool = True
    draws: dict[float, dict[float, int]] = msgspec.field(default_factory=dict)


_Open = list[tuple[tuple[int, int, int, int | None, int], _Occurrence]]


class Sums:
    """Adds rows up. `changed` holds what has to be added to what is written already."""

    def __init__(self, still_open: bytes = b"") -> None:
        """`still_open`: what `forget` returned."""
        self.changed: dict[Key, list[float]] = {}
        self._open = dict(msgspec.msgpack.decode(still_open, type=_Open)) if still_open else {}

    def add(self, key: Key, facts: Facts, arrival: int) -> None:
        """One row of a run, the `arrival`th of its reward."""
        sums = self._sums(key)
        sums[Field.ROWS] += 1
        sums[OUTCOMES.get(facts.outcome, OTHER_OUTCOME)] += 1
        sums[FIRST_BIN + bin_of(facts.chars)] += 1
        sums[Field.TEXTS] += facts.has_text
        if facts.signs & CUT_OFF:
            sums[Field.CUT_OFF] += 1
        if facts.paid is not None:
            sums[Field.PAID_ROWS] += 1
            sums[Field.PAID] += facts.paid
        if facts.clean is not None:
            sums[Field.CLEAN_ROWS] += 1
            sums[Field.CLEAN] += facts.clean
        if facts.is_train:
            self._add_to_occurrence(key, facts, arrival)

    def forget(self, oldest: int) -> bytes:
        """Lets go of what has been written, and of occurrences whose last row came before the `oldest` arrival.

        Returns those that are still open, for another process.
        """
        self.changed = {}
        self._open = {name: each for name, each in self._open.items() if each.arrival >= oldest}
        return msgspec.msgpack.encode(list(self._open.items()))

    def _sums(self, key: Key) -> list[float]:
        found = self.changed.get(key)
        if found is None:
            found = self.changed[key] = [0.0] * WIDTH
        return found

    def _add_to_occurrence(self, key: Key, facts: Facts, arrival: int) -> None:
        run, config, _, unit = key
        name = (run, config, facts.question, facts.visit, max(unit, -1))
        found = self._open.get(name)
        if found is None or (unit < 0 and arrival - found.arrival > GAP_ROWS):
            found = self._open[name] = _Occurrence(key, arrival)
        found.arrival = arrival
        if facts.paid is not None:
            self._pay(found, facts.paid)
        if facts.exposed and facts.draw is not None and facts.threshold is not None:
            self._expose(found, facts.flipped, facts.draw, facts.threshold)

    def _pay(self, found: _Occurrence, paid: float) -> None:
        found.rows += 1
        if found.rows == 1:
            found.paid = paid
            return
        sums = self._sums(found.key)
        if found.rows == 2:
            sums[Field.GROUPS] += 1
            sums[Field.FLAT] += 1
        if found.is_flat and paid != found.paid:
            found.is_flat = False
            sums[Field.FLAT] -= 1

    def _expose(self, found: _Occurrence, flipped: bool, draw: float, threshold: float) -> None:
        """Rows of one draw u flip together: cov(u < p, u < q) = min(p, q) - p·q."""
        sums, rows = self._sums(found.key), found.draws.get(draw)
        if rows is None:
            rows = found.draws[draw] = {}
            sums[Field.DRAWS] += 1
        sums[Field.EXPOSED] += 1
        sums[Field.FLIPPED] += flipped
        sums[Field.EXPECTED] += threshold
        shared = sum([count * (min(threshold, other) - threshold * other) for other, count in rows.items()])
        sums[Field.VARIANCE] += threshold * (1 - threshold) + 2 * shared
        rows[threshold] = rows.get(threshold, 0) + 1


def bin_of(chars: int) -> int:
    """The bin of a length: exact up to 7, then four a doubling."""
    if chars < 8:
        return chars
    bits = chars.bit_length()
    return min(BINS - 1, 8 + 4 * (bits - 4) + ((chars >> (bits - 3)) & 3))


def quantile(histogram: Vector, share: float) -> float | None:
    """The length that so much of a histogram is below, to within a bin's width."""
    total = histogram.sum()
    if total == 0:
        return None
    below = np.cumsum(histogram)
    place = int(np.searchsorted(below, share * total))
    inside = (share * total - (below[place - 1] if place else 0)) / histogram[place]
    first, last = _edges(place)
    return float(first + inside * (last - first))


def _edges(place: int) -> tuple[int, int]:
    """The lengths where a bin begins, and where the next one does."""
    return _edge(place), _edge(place + 1) if place >= 8 else place  # one length: no width


def _edge(place: int) -> int:
    if place < 8:
        return place
    doubling, quarter = divmod(place - 8, 4)
    return (4 + quarter) << (doubling + 1)


def summed(vectors: Sequence[bytes]) -> Vector:
    """One row a vector."""
    return np.frombuffer(b"".join(vectors), np.float64).reshape(-1, WIDTH)
