"""Counters and histograms that cost a fifth of a microsecond, since every request touches a score of them.

prometheus_client's own go through every bucket in Python. These look the bucket up and are made into its families when
somebody asks, so that the page of metrics reads as before.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import accumulate
from threading import Lock
from typing import ClassVar, Generic, TypeVar

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.utils import floatToGoString

S = TypeVar("S")


class Count:
    """One series of a Counter."""

    __slots__ = ("_lock", "value")

    def __init__(self) -> None:
        self.value = 0.0
        self._lock = Lock()

    def inc(self, amount: float = 1.0) -> None:
        """Adds `amount`, at least 0."""
        with self._lock:
            self.value += amount


class Distribution:
    """One series of a Histogram: how many values fell into each bucket, (len(bounds) + 1,), and their sum."""

    __slots__ = ("_bounds", "_lock", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0
        self._lock = Lock()

    def observe(self, value: float) -> None:
        """Counts a value, not NaN, in the first bucket whose bound is not below it."""
        bucket = bisect_left(self._bounds, value)
        with self._lock:
            self.counts[bucket] += 1
            self.sum += value

    def observe_all(self, values: Sequence[float]) -> None:
        """Counts values, none of them NaN."""
        buckets = [bisect_left(self._bounds, value) for value in values]
        with self._lock:
            for bucket in buckets:
                self.counts[bucket] += 1
            self.sum += sum(values)


class Family(Generic[S]):
    """The series of one metric, by the values of its labels; without labels there is one series.

    `new()` makes a series at 0.
    """

    kind: ClassVar[str]
    suffix: ClassVar[str] = ""
    """Of the name on the page."""

    def __init__(self, name: str, documentation: str, labels: Sequence[str], new: Callable[[], S]) -> None:
        self._name, self._documentation, self._labels, self._new = name, documentation, labels, new
        self._series: dict[tuple[object, ...], S] = {}
        if not labels:
            self.labels()

    def labels(self, *values: object) -> S:
        """The series of these values, which begins at 0 when it is first asked for."""
        series = self._series.get(values)
        return self._series.setdefault(values, self._new()) if series is None else series

    def described(self) -> tuple[str, str, Sequence[str], str]:
        """Its name on the page, its kind, its labels, what it means."""
        return self._name + self.suffix, self.kind, self._labels, self._documentation

    def forget(self, label: str, value: str) -> None:
        """Drops the series whose label has that value; what is still counted in them is seen nowhere."""
        place = self._labels.index(label)
        for values in [values for values in self._series.copy() if values[place] == value]:
            del self._series[values]

    def _rows(self) -> list[tuple[list[str], S]]:
        return [(list(map(str, values)), series) for values, series in self._series.copy().items()]


class Counter(Family[Count]):
    """A number that only grows."""

    kind, suffix = "counter", "_total"

    def __init__(
        self, name: str, documentation: str, labels: Sequence[str] = (), *, registry: CollectorRegistry
    ) -> None:
        super().__init__(name, documentation, labels, Count)
        registry.register(self)

    def inc(self, amount: float = 1.0) -> None:
        """Adds to the one series of a counter without labels."""
        self.labels().inc(amount)

    def collect(self) -> Iterator[CounterMetricFamily]:
        """What prometheus_client writes out."""
        family = CounterMetricFamily(self._name, self._documentation, labels=self._labels)
        for values, series in self._rows():
            family.add_metric(values, series.value)
        yield family


class Info(Family[float]):
    """What its labels say is so: 1 for each of their values that was asked for."""

    kind = "gauge"

    def __init__(self, name: str, documentation: str, labels: Sequence[str], *, registry: CollectorRegistry) -> None:
        super().__init__(name, documentation, labels, lambda: 1.0)
        registry.register(self)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """What prometheus_client writes out."""
        family = GaugeMetricFamily(self._name, self._documentation, labels=self._labels)
        for values, one in self._rows():
            family.add_metric(values, one)
        yield family


class Histogram(Family[Distribution]):
    """How many values lie below each of the ascending `buckets`, which end with infinity unsaid."""

    kind = "histogram"

    def __init__(
        self,
        name: str,
        documentation: str,
        labels: Sequence[str] = (),
        *,
        buckets: Sequence[float],
        registry: CollectorRegistry,
    ) -> None:
        self._bounds = tuple(map(float, buckets))
        self._names = [_le(bound) for bound in (*self._bounds, float("inf"))]
        super().__init__(name, documentation, labels, partial(Distribution, self._bounds))
        registry.register(self)

    def observe(self, value: float) -> None:
        """Counts a value in the one series of a histogram without labels."""
        self.labels().observe(value)

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """What prometheus_client writes out."""
        family = HistogramMetricFamily(self._name, self._documentation)
        for values, series in self._rows():
            labels = dict(zip(self._labels, values, strict=True))
            below = list(accumulate(series.counts))
            for name, number in zip(self._names, below, strict=True):
                family.add_sample(f"{self._name}_bucket", labels | {"le": name}, number)
            family.add_sample(f"{self._name}_count", labels, below[-1])
            if self._bounds[0] >= 0:  # a sum of values below 0 would not only grow
                family.add_sample(f"{self._name}_sum", labels, series.sum)
        yield family


def _le(bound: float) -> str:
    """As prometheus_client writes a bound."""
    return str(floatToGoString(bound))  # type: ignore[no-untyped-call]  # the package lacks this annotation
