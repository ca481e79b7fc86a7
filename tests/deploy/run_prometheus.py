"""What the dashboard says of a run on a shared server, and what it said before: `make prometheus`."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from real_prometheus import Prometheus, fill, running_prometheus
from running_server import running_server
from shared_server_story import RUN, Told, ours, tell

BEFORE = {
    "mean reward": '(sum by (reward) (rate(reward_paid_total{sign="plus"}[1m]))'
    ' - sum by (reward) (rate(reward_paid_total{sign="minus"}[1m])))'
    " / (sum by (reward) (rate(reward_value_count[1m])) > 0)",
    "promised flips": "sum by (reward) (rate(reward_flips_expected_total[1m]))"
    " / (sum by (reward) (rate(reward_flip_exposed_total[1m])) > 0)",
}
"""As the dashboard of 2026-11 asked: all configs and rows of a reward together, `rate` over four scrapes."""
MOMENTS = {
    0: "its first step",
    4: "our run alone",
    5: "+ evaluation",
    9: "+ another run and evaluation",
    12: "+ another run",
    16: "half cut off since minute 14",
    19: "half cut off",
}
HEAD = "| minute | what happens | truly paid | Mean reward | before | Clean accuracy | promised flips | before |\n"


def main() -> None:
    """Tells the story to a server, fills a Prometheus with it and prints what the panels say."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with running_server(folder / "server.log") as server:
            told = tell(server, begin=(time.time() // 7200 - 12) * 7200)
            fill(folder, told.pages)
            with running_prometheus(folder, server.url.removeprefix("http://")) as prometheus:
                sys.stdout.write(HEAD)
                sys.stdout.write("|---|---|---|---|---|---|---|---|\n")
                for minute, what in MOMENTS.items():
                    sys.stdout.write(_row(prometheus, told, minute, what))


def _row(prometheus: Prometheus, told: Told, minute: int, what: str) -> str:
    before = {key: prometheus.ask(query, told.at(minute)).get(("reward=flip",)) for key, query in BEFORE.items()}
    numbers = (
        told.paid(minute, 5),
        ours(prometheus, told, "Mean reward", RUN, minute),
        before["mean reward"],
        ours(prometheus, told, "Clean accuracy", RUN, minute),
        ours(prometheus, told, "Flip share of questions", f"{RUN}: promised", minute),
        before["promised flips"],
    )
    return f"| {minute} | {what} | {' | '.join('–' if value is None else f'{value:.2f}' for value in numbers)} |\n"


if __name__ == "__main__":
    main()
