"""Reads the dashboard into the types of Grafana's own SDK and writes it again: a key that is lost is one Grafana lacks.

Run by `make scan`.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

FILE = Path(__file__).parents[2] / "docker/grafana/dashboards/reward-server.json"
OF_THE_DATA_SOURCE = {"titleFormat", "textFormat"}
"""Of an annotation by Prometheus: its plugin's keys, which the SDK does not know."""


def lost(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """What is not in `after`, by its path; keys without a value may be left out."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key, value in before.items():
            if key in after:
                yield from lost(value, after[key], f"{path}.{key}")
            elif value not in ([], {}, None, False, "", 0) and key not in OF_THE_DATA_SOURCE:
                yield f"{path}.{key}"
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from lost(one, other, f"{path}[{number}]")
    elif before != after:
        yield path


register_default_plugins()
dashboard = json.loads(FILE.read_text())
written = json.loads(JSONEncoder(sort_keys=True).encode(Dashboard.from_json(dashboard)))
found = list(lost(dashboard, written))
sys.stdout.write(f"{FILE.name}: {len(dashboard['panels'])} panels, unknown keys: {', '.join(found) or 'none'}\n")
sys.exit(bool(found))
