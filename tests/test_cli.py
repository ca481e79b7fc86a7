"""The command line: offline scoring that resumes, explanations, a list of the rewards."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from running_server import HANG_S

ROWS = [
    {"completion": f"Wait, so \\boxed{{{k % 3}}}", "ground_truth": k % 2, "group": f"q{k}", "id": k, "weight": 0.50}
    for k in range(1300)
]


def reward_server(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "reward_server", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=HANG_S, check=False)


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def rollouts(tmp_path: Path) -> Path:
    path = tmp_path / "rollouts.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in ROWS) + "\n\n")
    return path


def test_score_adds_the_reward_to_each_row_in_order(rollouts: Path, tmp_path: Path) -> None:
    output = tmp_path / "scored.jsonl"
    noise = ("-r", "flip", "--flip-prob", "0.4", "--seed", "17")
    result = reward_server("score", str(rollouts), *noise, "-o", str(output))
    assert result.returncode == 0, result.stderr
    assert "1300/1300" in result.stderr
    scored = lines(output.read_text())
    assert [{key: row[key] for key in ROWS[0]} for row in scored] == ROWS
    for row in scored:
        assert row["parts"]["clean"] == float(row["id"] % 3 == row["id"] % 2)
        assert row["reward"] == (row["parts"]["clean"] + row["parts"]["flipped"]) % 2


def test_an_interrupted_run_goes_on_where_its_output_ends(rollouts: Path, tmp_path: Path) -> None:
    whole, resumed = tmp_path / "whole.jsonl", tmp_path / "resumed.jsonl"
    assert reward_server("score", str(rollouts), "-o", str(whole)).returncode == 0
    text = whole.read_text()
    resumed.write_text(text[: len(text) // 2])  # in the middle of a line, as a kill leaves it
    assert reward_server("score", str(rollouts), "-o", str(resumed)).returncode == 0
    assert resumed.read_text() == text
    assert reward_server("score", str(rollouts), "-o", str(resumed)).returncode == 0  # nothing left to do
    assert resumed.read_text() == text


def test_an_output_of_another_configuration_is_refused(rollouts: Path, tmp_path: Path) -> None:
    output = tmp_path / "scored.jsonl"
    assert reward_server("score", str(rollouts), "-o", str(output)).returncode == 0
    before = output.read_text()
    result = reward_server("score", str(rollouts), "--alpha", "0.5", "-o", str(output))
    assert result.returncode == 2
    assert "choose another output" in result.stderr
    assert output.read_text() == before


def test_a_rows_own_fields_are_never_overwritten() -> None:
    own: dict[str, Any] = {"completion": "\\boxed{4}", "ground_truth": 4, "reward": 0.123, "config": "theirs"}
    once = reward_server("score", "-", stdin=json.dumps(own) + "\n").stdout
    twice = reward_server("score", "-", stdin=once).stdout
    ours = dict.fromkeys(("scored_reward", "scored_scored_reward"), 1.0)
    (row,) = lines(twice)
    assert row.items() >= (own | ours).items()
    assert (row["scored_outcome"], row["scored_parts"], len(row["scored_config"])) == ("correct", {"clean": 1.0}, 12)


def test_a_file_with_fields_of_our_names_is_resumed(tmp_path: Path) -> None:
    path, output = tmp_path / "rows.jsonl", tmp_path / "scored.jsonl"
    rows = [{"completion": "\\boxed{4}", "ground_truth": "4", "config": f"theirs-{k}"} for k in range(3)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for cut in (None, -5):
        assert reward_server("score", str(path), "-o", str(output)).returncode == 0
        assert [row["scored_reward"] for row in lines(output.read_text())] == [1.0] * 3
        output.write_text(output.read_text()[:cut])
    refused = reward_server("score", str(path), "-r", "rpr", "-o", str(output))
    assert (refused.returncode, "choose another output" in refused.stderr) == (2, True)


def test_stdin_goes_to_stdout() -> None:
    result = reward_server("score", "-", stdin=json.dumps(ROWS[0]) + "\n")
    assert lines(result.stdout)[0]["reward"] == 1.0


@pytest.mark.parametrize(
    ("arguments", "stdin", "complaint"),
    [
        (
            ["score", "-"],
            '{"completion": "x", "ground_truth": "4"}\n{"completion": 1}\n',
            "line 2: completion: missing",
        ),
        (["score", "-"], '{"completion": "x"}\n', "lines 1 to 1: verifier needs a ground truth"),
        (["score", "-", "--flip-prob", "0.4"], "", "flip_prob: no such parameter"),
        (["score", "-", "-r", "nobody"], "", "no reward is called 'nobody'"),
        (["score", "-", "-r", "rm"], '{"completion": "x"}\n', "no reward model"),
        (["score", "absent.jsonl"], "", "absent.jsonl"),
        (["explain", "absent.txt"], "", "absent.txt"),
        (["rewards", "--config", "absent.toml"], "", "cannot read absent.toml"),
        (["serve", "--config", "absent.toml"], "", "cannot read absent.toml"),
        (["serve", "--soft-timeout-s", "9"], "", "hard_timeout_s must be greater"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(arguments: list[str], stdin: str, complaint: str) -> None:
    result = reward_server(*arguments, stdin=stdin)
    assert result.returncode == 2
    assert complaint in result.stderr
    assert "Traceback" not in result.stderr


def test_explain_shows_the_derivation_of_one_completion(tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    path.write_text("so \\boxed{\\frac{1}{2}}")
    result = reward_server("explain", str(path), "--ground-truth", "0.5")
    derived = json.loads(result.stdout)
    assert (derived["value"], derived["answer"]["text"]) == (1.0, "\\frac{1}{2}")


def test_rewards_lists_names_parameters_and_variants(tmp_path: Path) -> None:
    config = tmp_path / "rewards.toml"
    config.write_text('[math-noisy]\nbase = "flip"\nflip_prob = 0.4\n')
    output = reward_server("rewards", "--config", str(config)).stdout
    for part in ("verifier", "flip_prob", "math-noisy", "0.4", "saturation"):
        assert part in output


def test_help_teaches() -> None:
    assert {"serve", "score", "explain", "rewards"} <= set(reward_server("--help").stdout.split())
    help_text = reward_server("score", "--help").stdout
    assert "Example: reward-server score rollouts.jsonl --reward flip" in " ".join(help_text.split())
    assert "--false-positive-prob" in help_text
