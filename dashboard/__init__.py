"""Grafana's dashboard, written by code: `make dashboard` writes docker/grafana/dashboards/reward-server.json.

`queries.py` has what Prometheus is asked, `panels.py` how a panel looks, `rows.py` which there are.
"""
