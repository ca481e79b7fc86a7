"""The dashboard's queries, with its variables filled in as Grafana does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

FILE = Path(__file__).parents[1] / "docker/grafana/dashboards/reward-server.json"
DASHBOARD = json.loads(FILE.read_text())
DEFAULTS = {
    "reward": ".*",
    "config": ".*",
    "rows": "train",
    "instance": ".*",
    "window": "5m",
    "__rate_interval": "1m",
    "__range": "1h",
}
VARIABLE = re.compile(r"\$(\w+)")


def filled(expression: str, **chosen: str) -> str:
    """The query with all its variables; `chosen` over what the dashboard begins with."""
    values = DEFAULTS | chosen
    return VARIABLE.sub(lambda found: values[found[1]], expression)


def queries(panel: dict[str, Any]) -> list[str]:
    """What a panel asks, as it stands."""
    return [target["expr"] for target in panel.get("targets", [])]


def all_queries() -> list[str]:
    """What the panels and the annotations ask, as it stands."""
    asked = [query for panel in DASHBOARD["panels"] for query in queries(panel)]
    return asked + [annotation["expr"] for annotation in DASHBOARD["annotations"]["list"]]


def panel_queries(title: str) -> dict[str, str]:
    """What the panel of that title asks over time, by legend."""
    (panel,) = (each for each in DASHBOARD["panels"] if each["title"] == title and each["type"] == "timeseries")
    return {target["legendFormat"]: target["expr"] for target in panel["targets"]}
