"""The numbers behind the charts of a run: sums of its units, bucket by bucket."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from reward_server.view.index import Index
from reward_server.view.sums import FIRST_BIN, OUTCOMES, UNIT_ROWS, WIDTH, Field, Vector, quantile, summed

USUAL_ROWS = 1024
FEW, MANY = 20, 500
"""Buckets: with fewer, smaller ones are made; with more, greater ones."""
Whole = NDArray[np.int64]
Values = list[float | None]


@dataclass(frozen=True, slots=True)
class Axis:
    """How a run is cut into buckets: `per` steps each, or `per` rows each where rows have no step.

    `label`: what a bucket is called.
    """

    has_steps: bool
    per: int
    usual: int

    @property
    def label(self) -> str:
        if self.has_steps:
            return "step" if self.per == 1 else f"steps, {self.per} a bucket"
        return f"training rows, {self.per:,} a bucket"

    def units(self, bucket: int) -> tuple[int, int]:
        """The first and the last unit of a bucket, as the index numbers them."""
        if self.has_steps:
            return bucket * self.per, (bucket + 1) * self.per - 1
        size = self.per // UNIT_ROWS
        return -(bucket + 1) * size, -1 - bucket * size

    def begin(self, bucket: int) -> int:
        """The step, or the number of rows before it."""
        return bucket * self.per

    def buckets(self, units_N: Whole) -> Whole:
        """The bucket of each unit; below 0 where it has none."""
        if self.has_steps:
            return np.where(units_N >= 0, units_N // self.per, -1)
        return np.where(units_N < 0, (-1 - units_N) // (self.per // UNIT_ROWS), -1)


@dataclass(frozen=True, slots=True)
class Rule:
    """At this bucket the configuration changed: what of it, in words."""

    bucket: int
    text: str


@dataclass(frozen=True, slots=True)
class Curves:
    """By bucket. `train` and `evaluation`: one vector each, of `sums.Field` and so on; zero where there are no rows."""

    axis: Axis
    buckets: list[int]
    train: Vector
    evaluation: Vector
    rules: list[Rule] = field(default_factory=list)

    @property
    def begins(self) -> list[int]:
        return [self.axis.begin(bucket) for bucket in self.buckets]

    def mean(self, total: int, count: int, *, evaluation: bool = False) -> Values:
        """One sum over another, None where there is nothing to divide by."""
        return _ratio(*((self.evaluation if evaluation else self.train)[:, place] for place in (total, count)))

    def outcomes(self) -> dict[str, Values]:
        """The share of each outcome that there is at all, of training rows."""
        rows = self.train[:, Field.ROWS]
        shares = {name: self.train[:, place] for name, place in OUTCOMES.items()}
        return {name: _ratio(counts, rows) for name, counts in shares.items() if counts.any()}

    def expected_flips(self) -> tuple[Values, Values, Values]:
        """The share of flips that the rates would give, and two standard deviations below and above it."""
        exposed, expected = self.train[:, Field.EXPOSED], self.train[:, Field.EXPECTED]
        around = 2 * np.sqrt(np.maximum(0, self.train[:, Field.VARIANCE]))
        low, high = np.maximum(0, expected - around), np.minimum(exposed, expected + around)
        return _ratio(expected, exposed), _ratio(low, exposed), _ratio(high, exposed)

    def length(self, share: float) -> Values:
        """The length in characters that so many completions are shorter than."""
        return [quantile(row[FIRST_BIN:], share) for row in self.train]

    @property
    def total(self) -> Vector:
        """The sum over all buckets, of training rows."""
        total: Vector = self.train.sum(axis=0)
        return total


def axis_of(index: Index, run: int, rows: int, per: int | None = None) -> Axis:
    """How the run is cut; `per` as somebody asked for it. `rows`: of the reward that is shown."""
    ((least, most, steps),) = index.query(
        "SELECT min(unit), max(unit), count(DISTINCT unit) FROM sums WHERE run = ? AND unit >= 0", run
    )
    if steps:
        usual = 1 if steps <= MANY else -(-(most - least + 1) // MANY)
        return Axis(True, per or usual, usual)
    usual = USUAL_ROWS if rows >= FEW * USUAL_ROWS else max(UNIT_ROWS, rows // (2 * FEW) // UNIT_ROWS * UNIT_ROWS)
    usual = max(usual, -(-rows // MANY // UNIT_ROWS) * UNIT_ROWS)
    return Axis(False, max(1, (per or usual) // UNIT_ROWS) * UNIT_ROWS, usual)


def curves(index: Index, run: int, configs: list[int], per: int | None = None) -> Curves:
    """Those of some configurations of a run."""
    marks = ",".join("?" * len(configs))
    found = index.query(
        f"SELECT config, train, unit, numbers FROM sums WHERE run = ? AND config IN ({marks}) ORDER BY unit",
        *(run, *configs),
    )
    vectors = summed([row[3] for row in found])
    config_N, train_N, unit_N = (np.array([row[i] for row in found], np.int64) for i in range(3))
    axis = axis_of(index, run, int(vectors[train_N == 1, Field.ROWS].sum()), per)
    bucket_N = axis.buckets(unit_N).astype(np.int64)
    buckets = sorted({int(bucket) for bucket in bucket_N if bucket >= 0})
    place = {bucket: number for number, bucket in enumerate(buckets)}
    sums = np.zeros((2, len(buckets), WIDTH))
    for is_train, bucket, vector in zip(train_N, bucket_N, vectors, strict=True):
        if bucket >= 0:
            sums[is_train, place[int(bucket)]] += vector
    rules = _rules(index, buckets, [(b, c) for b, c, t in zip(bucket_N, config_N, train_N, strict=True) if t])
    return Curves(axis, buckets, sums[1], sums[0], rules)


def _rules(index: Index, buckets: list[int], seen: list[tuple[int, int]]) -> list[Rule]:
    """Where the configurations of the training rows are others than in the bucket before."""
    names = index.names("config")
    by_bucket: dict[int, set[int]] = {}
    for bucket, config in seen:
        by_bucket.setdefault(int(bucket), set()).add(int(config))
    rules, last = [], None
    for bucket in buckets:
        now = by_bucket.get(bucket)
        if now and last and now - last:
            rules.append(Rule(bucket, "; ".join(_change(names, last, config) for config in sorted(now - last))))
        last = now or last
    return rules


def _change(names: dict[int, str], before: set[int], config: int) -> str:
    """What is new: the version, or the query string, or only the digest (graders, model, rewards.toml)."""
    digest, version, _, query = names[config].split("\n")
    olds = [names[each].split("\n") for each in before]
    if all(version != old[1] for old in olds):
        return f"version {version}"
    if all(query != old[3] for old in olds):
        return f"?{query}"
    return f"config {digest}"


def _ratio(totals: Vector, counts: Vector) -> Values:
    """None where there is nothing to divide by, and where sums are no numbers any more."""
    return [
        float(total / count) if count and np.isfinite(total) else None
        for total, count in zip(totals, counts, strict=True)
    ]
