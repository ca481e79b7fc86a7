"""What the log says of a request: enough to draw a run's curve without Prometheus, and never a text."""

from __future__ import annotations

import math
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from running_server import RunningServer, until

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def line(server: RunningServer, path: str, body: object, name: str, **headers: str) -> dict[str, Any]:
    """The request's line in the log."""
    server.post(path, body, headers={"X-Request-ID": name, **headers})
    until(lambda: any(each.get("request_id") == name for each in server.log_lines()))
    (found,) = [each for each in server.log_lines() if each.get("request_id") == name]
    return found


def batch(*completions: str, flip: bool = True) -> dict[str, object]:
    labels = [{"ground_truth": "4", "flip": flip}] * len(completions)
    return {"completions": completions, "ground_truths": labels}


def test_a_line_has_the_outcomes_and_the_mean_of_what_was_paid(server: RunningServer) -> None:
    completions = ("\\boxed{4}", "\\boxed{4}", "\\boxed{5}", "none of them")
    said = line(server, "/score/verifier", batch(*completions), "log-1")
    assert (said["samples"], said["rows"], said["paid"]) == (4, "train", 0.5)
    assert said["outcomes"] == {"correct": 2, "incorrect": 1, "unanswered": 1}
    assert "none of them" not in str(said)


def test_a_line_of_one_sample_reads_the_same(server: RunningServer) -> None:
    said = line(server, "/score/verifier", batch("\\boxed{5}"), "log-2")
    assert (said["rows"], said["paid"], said["outcomes"]) == ("train", 0.0, {"incorrect": 1})


def test_a_line_tells_evaluation_rows(server: RunningServer) -> None:
    assert line(server, "/score/verifier", batch("\\boxed{4}", flip=False), "log-3")["rows"] == "eval"
    mixed = {"completions": ["4", "4"], "ground_truths": ["4", {"ground_truth": "4", "flip": False}]}
    assert line(server, "/score/verifier", mixed, "log-4")["rows"] == "mixed"


def test_a_mean_leaves_out_what_has_no_reward(server: RunningServer) -> None:
    body = {"completions": ["\\boxed{4}"] * 2, "ground_truths": ["4", None]}
    said = line(server, "/score/verifier", body, "log-5")
    assert (said["paid"], said["outcomes"]) == (1.0, {"correct": 1, "ungradable": 1})
    refused = line(server, "/score/verifier?unscored=error", body, "log-6")
    assert (refused["status"], refused["outcomes"]) == (422, {"correct": 1, "ungradable": 1})
    nothing = line(server, "/score/verifier", {"completions": ["4"], "ground_truths": [None]}, "log-7")
    assert nothing["paid"] is None


def test_a_mean_is_told_in_six_digits(server: RunningServer) -> None:
    said = line(server, "/score/verifier", batch("\\boxed{4}", "\\boxed{5}", "\\boxed{5}"), "log-8")
    assert said["paid"] == 0.333333
    assert math.isclose(said["paid"], 1 / 3, abs_tol=1e-6)


@pytest.mark.skipif(shutil.which("jq") is None, reason="needs jq")
def test_the_documentation_draws_a_runs_curve_from_the_log(server: RunningServer, tmp_path: Path) -> None:
    right, wrong = "\\boxed{4}", "\\boxed{5}"
    said = line(server, "/score/verifier?fallback_reward=0.125", batch(right, wrong, wrong, wrong), "curve-1")
    line(server, "/score/verifier?fallback_reward=0.125", batch(right), "curve-2")
    line(server, "/score/verifier?fallback_reward=0.125", batch(right, right, flip=False), "curve-3")
    line(server, "/score/verifier", batch(wrong, wrong), "curve-4")
    shutil.copy(server.log, tmp_path / "server.log")
    page = (Path(__file__).parents[2] / "docs/metrics.md").read_text()
    (command,) = re.findall(r"```sh\n(jq.*?)```", page, re.DOTALL)
    script = command.replace("CONFIG", said["config"])
    printed = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    minutes = [row.split() for row in printed.splitlines()]
    assert minutes[0][0] == said["time"][:16]
    assert [float(mean) for _, mean in minutes] in ([0.4], [0.25, 1.0])  # the minute may turn between the two


@pytest.mark.parametrize(
    ("given", "known"),
    [
        (f"00-{TRACE}-00f067aa0ba902b7-01", True),
        (f"01-{TRACE}-00f067aa0ba902b7-01-what-comes-later", True),
        (f"ff-{TRACE}-00f067aa0ba902b7-01", False),
        (f"00-{'0' * 32}-00f067aa0ba902b7-01", False),
        (f"00-{TRACE.upper()}-00f067aa0ba902b7-01", False),
        ("00-\\n\\n", False),
    ],
)
def test_a_line_has_the_trace_that_the_caller_is_in(server: RunningServer, given: str, known: bool) -> None:
    said = line(server, "/score/verifier", batch("\\boxed{4}"), f"trace-{hash(given)}", traceparent=given)
    assert said.get("trace_id") == (TRACE if known else None)
