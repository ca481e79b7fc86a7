"""The dashboard in the repository is what the code writes."""

from __future__ import annotations

import pytest
from dashboard_queries import DASHBOARD, FILE, VARIABLE, all_queries

from reward_server.types import Outcome


def test_the_dashboard_is_what_the_code_writes() -> None:
    pytest.importorskip("grafana_foundation_sdk", reason="needs grafana-foundation-sdk, of the extra `dev`")
    from dashboard.whole import written

    assert FILE.read_text() == written(), "`make dashboard` writes it anew"


def test_every_variable_of_a_query_is_one_of_the_dashboard() -> None:
    offered = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    asked = {name for query in all_queries() for name in VARIABLE.findall(query)}
    assert {name for name in asked if not name.startswith("__")} == offered - {"datasource", "view"}


def test_what_counts_samples_is_asked_for_by_config_and_rows_over_the_window() -> None:
    for name in ("reward_paid_total", "reward_flips_total", "reward_noise_draws_total", "reward_cut_off_total"):
        asked = [query for query in all_queries() if name in query]
        assert asked
        for query in asked:
            assert query.count("$config") == query.count("$rows") > 0, query
            assert "rate(" not in query and "$window" in query


def test_no_outcome_is_left_out_where_shares_are_shown() -> None:
    (accuracy,) = {query for query in all_queries() if 'outcome="correct"' in query and "$window" in query}
    graded = accuracy.split('outcome=~"')[1].split('"')[0].split("|")
    by_model = {Outcome.SCORED, Outcome.BAD_FORMAT}
    assert set(graded) | by_model | {one for one in Outcome if one.is_unscored} == set(Outcome)


def test_it_begins_with_training_rows_over_six_hours() -> None:
    current = {one["name"]: one["current"]["value"] for one in DASHBOARD["templating"]["list"]}
    assert (current["rows"], current["window"], current["config"]) == ("train", "5m", ["$__all"])
    assert DASHBOARD["time"] == {"from": "now-6h", "to": "now"}
    assert [each["name"] for each in DASHBOARD["annotations"]["list"]] == ["Alerts", "New config", "New version"]
