"""prometheus_client's own counters and histograms are the reference: what is exposed is the same text."""

from __future__ import annotations

from threading import Thread
from typing import Any

import prometheus_client
from prometheus_client import CollectorRegistry, generate_latest

from reward_server.kit import counters

VALUES = (-1.0, -0.5, 0.0, 0.0005, 0.00051, 0.1, 0.25, 0.3, 1, 2, 2.5, 179.9, 180, 180.1, 1e9, float("inf"))
BUCKETS = (-1, -0.5, 0, 0.0005, 0.25, 1, 2.5, 180)


def page(package: Any) -> str:
    registry = CollectorRegistry()
    if package is counters:
        counters.Info("told", "What is so.", ["version", "name"], registry=registry).labels("1.0", 'a "b"')
    else:
        prometheus_client.Gauge("told", "What is so.", ["version", "name"], registry=registry).labels(
            "1.0", 'a "b"'
        ).set(1)
    package.Counter("a_untouched", "Without labels.", registry=registry)
    package.Counter("b_never_asked", "With labels.", ["kind"], registry=registry)
    plain = package.Counter("c_plain", 'A "quoted" text.', registry=registry)
    labelled = package.Counter("d_labelled", "Two labels.", ["zeta", "alpha"], registry=registry)
    empty = package.Histogram("e_empty", "No values.", buckets=BUCKETS, registry=registry)
    values = package.Histogram("f_values", "Values.", ["stage"], buckets=BUCKETS, registry=registry)
    forgotten = package.Counter("g_forgotten", "A series that goes.", ["kind", "name"], registry=registry)
    for kind in ("kept", "gone"):
        forgotten.labels(kind, "one").inc()
    if package is counters:
        forgotten.forget("kind", "gone")
    else:
        forgotten.remove("gone", "one")
    for number, value in enumerate(VALUES):
        plain.inc()
        plain.inc(0.25)
        labelled.labels("one", 200 + number % 2).inc(number)
        values.labels("even" if number % 2 == 0 else 'odd "\n').observe(value)
    many = package.Histogram("h_many", "Values at once.", buckets=BUCKETS, registry=registry)
    if package is counters:
        many.labels().observe_all(VALUES)
    else:
        for value in VALUES:
            many.observe(value)
    labelled.labels("begun", 404)
    values.labels("begun")
    assert empty is not None
    lines = generate_latest(registry).decode().splitlines()
    return "\n".join(line for line in lines if "_created" not in line)


def test_the_page_reads_as_prometheus_clients_own() -> None:
    assert page(counters) == page(prometheus_client)


def test_threads_lose_no_count() -> None:
    registry = CollectorRegistry()
    counter = counters.Counter("seen", "Seen.", registry=registry)
    histogram = counters.Histogram("took", "Took.", buckets=(1,), registry=registry)

    def count() -> None:
        for _ in range(20_000):
            counter.inc()
            histogram.observe(1)

    threads = [Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert registry.get_sample_value("seen_total") == 80_000
    assert registry.get_sample_value("took_bucket", {"le": "1.0"}) == 80_000
    assert registry.get_sample_value("took_sum") == 80_000
