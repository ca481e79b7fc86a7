"""What the tests look at: the server's own log, Prometheus' answers, the inside of a container."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import httpx
from dashboard_queries import DASHBOARD, filled, queries
from docker.load import samples
from docker.stack import Stack, run


def readable(folder: Path) -> None:
    """pytest's folders are for their owner only; the server is somebody else."""
    for path in (folder.parent, folder, *folder.iterdir()):
        path.chmod(0o755)


def requests(container: str) -> list[dict[str, Any]]:
    """The server's own log lines of scoring requests it answered with 200."""
    logs = subprocess.run(["docker", "logs", container], capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in (logs.stdout + logs.stderr).splitlines() if line.startswith("{")]
    return [line for line in lines if line.get("route") == "/score/verifier" and line.get("status") == 200]


def answered_ids(container: str) -> set[str]:
    return {line["request_id"] for line in requests(container) if line["request_id"].startswith("sample-")}


def ready(url: str) -> bool:
    try:
        return httpx.get(url + "/ready", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def inside(container: str, script: str) -> str:
    return run("docker", "exec", container, "python", "-c", script)


def exercise(project: Stack) -> None:
    """Something of every kind that the dashboard shows of a server without a model."""
    load = samples(2048)
    columns = {
        "completions": ["wait, let me check: " + sample.completion for sample in load],
        "ground_truths": [sample.ground_truth for sample in load],
        "groups": list(range(len(load))),
    }
    for path in ("/score/verifier?alpha=0.1", "/score/flip?flip_prob=0.4&seed=17", "/score/rpr"):
        assert project.post(path, columns).status_code == 200


def query(project: Stack, expression: str) -> list[Any]:
    reply = httpx.get(project.prometheus_url + "/api/v1/query", params={"query": expression}).json()
    assert reply["status"] == "success", (expression, reply)
    found: list[Any] = reply["data"]["result"]
    return found


def number(project: Stack, expression: str) -> float:
    return sum(float(series["value"][1]) for series in query(project, expression))


def is_scraped(project: Stack, samples_of_rm: int) -> bool:
    return number(project, 'sum(reward_samples_total{reward="rm"})') == samples_of_rm


def loaded_rules(project: Stack) -> list[dict[str, Any]]:
    groups = httpx.get(project.prometheus_url + "/api/v1/rules").json()["data"]["groups"]
    return [rule for group in groups for rule in group["rules"]]


def dashboard_expressions() -> list[str]:
    """Every query of the dashboard's panels, of training and evaluation rows."""
    panels = [query for panel in DASHBOARD["panels"] for query in queries(panel)]
    return [filled(query, rows=".*") for query in panels]
