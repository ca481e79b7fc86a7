"""Writes the dashboard: `make dashboard`."""

from __future__ import annotations

from pathlib import Path

from dashboard.whole import written

FILE = Path(__file__).parents[1] / "docker/grafana/dashboards/reward-server.json"

if __name__ == "__main__":
    FILE.write_text(written())
