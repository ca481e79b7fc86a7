"""A real Prometheus answers the dashboard's queries: what they say of a run, whatever else happens on its server."""

from __future__ import annotations

import math
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from dashboard_queries import DASHBOARD, all_queries, filled
from real_prometheus import Prometheus, fill, program, running_prometheus
from running_server import RunningServer, running_server, until
from shared_server_story import CUT_FROM, MINUTES, OTHER_FROM, RUN, SAMPLES, Told, ours, tell

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(
    program("prometheus") is None or program("promtool") is None,
    reason="no Prometheus: `make prometheus` unpacks Debian's",
)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Prometheus, Told, RunningServer]]:
    folder = tmp_path_factory.mktemp("prometheus")
    with running_server(folder / "server.log") as server:
        told = tell(server, begin=(time.time() // 7200 - 12) * 7200)
        fill(folder, told.pages)
        with running_prometheus(folder, server.url.removeprefix("http://")) as prometheus:
            yield prometheus, told, server


Seen = tuple[Prometheus, Told, RunningServer]


def test_the_mean_is_what_our_run_was_paid_at_every_minute(seen: Seen) -> None:
    prometheus, told, _ = seen
    for minute in range(MINUTES):
        shown = ours(prometheus, told, "Mean reward", RUN, minute)
        assert shown == pytest.approx(told.paid(minute, 5), abs=0.01), minute
        if 4 <= minute < CUT_FROM:  # five steps and more: 0.75 · 0.6 + 0.25 · 0.4 = 0.55, and what chance adds
            assert shown == pytest.approx(0.55, abs=0.03), minute


def test_accuracy_and_the_promised_rate_are_our_own(seen: Seen) -> None:
    prometheus, told, _ = seen
    for minute in range(MINUTES):
        accuracy = ours(prometheus, told, "Clean accuracy", RUN, minute)
        if minute < CUT_FROM:
            assert accuracy == pytest.approx(0.75, abs=0.005), minute
        promised = ours(prometheus, told, "Flip share of questions", f"{RUN}: promised", minute)
        assert promised == pytest.approx(0.4, abs=1e-9), minute
    assert accuracy == pytest.approx(0.375, abs=0.005)


def test_the_queries_of_the_documentation_say_what_our_run_was_paid(seen: Seen) -> None:
    prometheus, told, _ = seen
    page = (ROOT / "docs/metrics.md").read_text().replace("CONFIG", told.configs["ours"])
    mean, outcomes = (block.strip() for block in re.findall(r"```promql\n(.*?)```", page, re.DOTALL))
    assert prometheus.ask(mean, told.at(12))[()] == pytest.approx(told.paid(12, 5), abs=0.01)
    counted = prometheus.ask(outcomes, told.at(12))
    assert counted["outcome=correct",] == pytest.approx(3 * counted["outcome=incorrect",])


def test_the_outcome_and_the_cut_off_say_why_the_mean_fell(seen: Seen) -> None:
    prometheus, told, _ = seen
    outcomes = next(query for query in all_queries() if "group_left" in query and query.endswith("> 0"))
    last = prometheus.ask(filled(outcomes), told.at(MINUTES - 1))
    share = last[f"config={told.configs['ours']}", "outcome=unanswered", "reward=flip"]
    assert share == pytest.approx(0.5, abs=0.005)
    assert ours(prometheus, told, "Cut off", RUN, MINUTES - 1) == pytest.approx(0.5, abs=0.005)
    assert ours(prometheus, told, "Cut off", RUN, CUT_FROM - 1) == 0


def test_the_share_of_flipped_questions_lies_in_its_band(seen: Seen) -> None:
    prometheus, told, _ = seen
    outside = 0
    for minute in range(MINUTES):
        flipped, low, high = (
            ours(prometheus, told, "Flip share of questions", f"{RUN}: {name}", minute)
            for name in ("flipped", "chance allows from", "to")
        )
        draws = 64 * min(minute + 1, 5)
        assert high - low == pytest.approx(4 * math.sqrt(0.4 * 0.6 / draws), rel=0.1)  # all of a group share one draw
        outside += not low <= flipped <= high
    assert outside <= 2


def test_the_other_run_has_a_line_and_an_annotation_of_its_own(seen: Seen) -> None:
    prometheus, told, _ = seen
    annotations = {each["name"]: filled(each["expr"]) for each in DASHBOARD["annotations"]["list"]}
    new = {minute: prometheus.ask(annotations["New config"], told.at(minute)) for minute in (0, OTHER_FROM, 13)}
    assert new == {
        0: {(f"config={told.configs['ours']}", "parameters=flip_prob=0.4&seed=17", "reward=flip"): 1},
        OTHER_FROM: {(f"config={told.configs['theirs']}", "parameters=flip_prob=0.1&seed=3", "reward=flip"): 1},
        13: {},
    }
    (mean,) = {query for query in all_queries() if 'sign="plus"' in query}
    found = prometheus.ask(filled(mean), told.at(CUT_FROM - 1))
    assert len(found) == 2
    assert found[f"config={told.configs['theirs']}", "reward=flip"] == pytest.approx(0.34, abs=0.03)


def test_every_query_is_answered(seen: Seen) -> None:
    prometheus, told, _ = seen
    empty = [query for query in all_queries() if not prometheus.ask(filled(query), told.at(OTHER_FROM))]
    silent = (
        "reward_model_",
        "reward_rpr",
        "ALERTS",
        "reward_server_info",
        "reward_rejected_total",
        "reward_verdict_cache",
        "reward_confusion_total",
    )
    assert [query for query in empty if not any(name in query for name in silent)] == []


def test_it_scrapes_a_live_server(seen: Seen) -> None:
    prometheus, told, server = seen
    address = server.url.removeprefix("http://")
    query = f'sum(reward_samples_total{{instance="{address}",config="{told.configs["ours"]}",rows="train"}})'
    until(lambda: prometheus.ask(query) == {(): MINUTES * SAMPLES})


def test_the_alerts_fire_on_what_they_are_for_and_are_silent_beside_it(tmp_path: Path) -> None:
    for name in ("docker/prometheus/alerts.yml", "tests/docker/alerts_test.yml"):
        shutil.copy(ROOT / name, tmp_path)
    command = [program("promtool") or "", "test", "rules", "alerts_test.yml"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
