"""Alert rules and the dashboard name metrics and labels that the server has. What they answer: `make docker-test`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from running_server import RunningServer

from reward_server.counting.sample_counts import LABELS

ROOT = Path(__file__).parents[2]
DASHBOARD = json.loads((ROOT / "docker/grafana/dashboards/reward-server.json").read_text())
RULES = yaml.safe_load((ROOT / "docker/prometheus/alerts.yml").read_text())["groups"][0]["rules"]
METRIC = re.compile(r"\b(?:reward|process)_[a-z_]+")


def expressions() -> list[str]:
    panels = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", [])]
    return panels + [rule["expr"] for rule in RULES]


def test_every_metric_that_is_asked_for_exists(server: RunningServer) -> None:
    suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}
    families = text_string_to_metric_families(server.get("/metrics").text)
    served = {family.name + suffix for family in families for suffix in suffixes.get(family.type, ("",))}
    asked = {name for expression in expressions() for name in METRIC.findall(expression)}
    assert asked - served == set()


def test_the_page_of_metrics_names_all_that_there_are_with_their_labels(server: RunningServer) -> None:
    page = (ROOT / "docs/metrics.md").read_text()
    samples, of_server = page.split("\n## Metrics of samples\n")[1].split("\n## Metrics of the server\n")
    documented = {name: {*LABELS, *labels} for name, labels in rows(samples)} | dict(rows(of_server))
    server.post("/score/flip?flip_prob=0.4", {"completions": ["4"] * 2, "ground_truths": ["4"] * 2, "groups": [1, 2]})
    families = list(text_string_to_metric_families(server.get("/metrics").text))
    served = {each.name + ("_total" if each.type == "counter" else ""): each for each in families}
    assert {name for name in served if name.startswith("reward_")} == set(documented)
    for name, labels in documented.items():
        assert all(set(sample.labels) - {"le"} == labels for sample in served[name].samples), name


def rows(text: str) -> list[tuple[str, set[str]]]:
    """Names and labels of a table of metrics."""
    found = re.findall(r"^\| `(\w+)` \| \w+ \| (.*?) \|", text, re.MULTILINE)
    return [(name, set(re.findall(r"`(\w+)`", labels))) for name, labels in found]


def test_panels_have_a_meaning_a_place_of_their_own_and_the_chosen_source() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])
        }  # Grafana's grid has 24 columns
        assert max(x for x, _ in cells) < 24
        assert not cells & taken, panel["title"]
        taken |= cells
        if panel["type"] != "row":
            assert panel["description"].endswith(".")
            assert {target["datasource"]["uid"] for target in panel["targets"]} == {"${datasource}"}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_says_how_bad_it_is_what_is_wrong_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("warning", "critical")
    assert set(rule["annotations"]) == {"summary", "description"}
    tests = (ROOT / "tests/docker/alerts_test.yml").read_text()
    assert f'alertname="{rule["alert"]}"' in tests, "the rule tests do not make it fire"
    assert f"alertname: {rule['alert']}, exp_alerts: []" in tests, "the rule tests do not see it silent"


def test_the_provisioned_source_and_folder_are_those_of_the_compose_file() -> None:
    source = yaml.safe_load((ROOT / "docker/grafana/provisioning/datasources/prometheus.yml").read_text())
    assert source["datasources"][0]["uid"] == DASHBOARD["templating"]["list"][0]["current"]["value"]
    provider = yaml.safe_load((ROOT / "docker/grafana/provisioning/dashboards/reward-server.yml").read_text())
    grafana = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["grafana"]
    folder = provider["providers"][0]["options"]["path"]
    assert f"./docker/grafana/dashboards:{folder}:ro" in grafana["volumes"]
    assert grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"] == f"{folder}/reward-server.json"
