"""`score -r rm`, `explain -r rm` and `calibrate` without a server, with a tiny real model."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

WORDS = ["two", "three", "five", "sum", "answer", "think", "what", "the"]


@pytest.fixture(scope="module")
def model(folder: Path) -> tuple[str, ...]:
    return ("--rm-model", str(folder), "--rm-dtype", "float32", "--rm-device", "cpu", "--rm-threads", "1")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "reward_server", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def rollouts(count: int) -> list[dict[str, Any]]:
    return [{"completion": f"{WORDS[n % 8]} is {n}", "prompt": f"Question {n // 8}?", "id": n} for n in range(count)]


def scored_rows(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_file_is_scored_resumed_and_explained_with_the_model_s_config(model: tuple[str, ...], tmp_path: Path) -> None:
    file, output = write(tmp_path / "rollouts.jsonl", rollouts(100)), tmp_path / "scored.jsonl"
    options = ("-r", "rm", "--format", "plain", *model)
    whole = run("score", file, "-o", str(output), *options)
    assert whole.returncode == 0, whole.stderr
    text = output.read_text()
    rows = scored_rows(text)
    assert [row["id"] for row in rows] == list(range(100))
    assert {row["outcome"] for row in rows} == {"scored"}
    output.write_text(text[: len(text) // 2])  # in the middle of a line, as a kill leaves it
    assert run("score", file, "-o", str(output), *options).returncode == 0
    assert output.read_text() == text

    (tmp_path / "one.txt").write_text(rows[3]["completion"])
    explained = run("explain", str(tmp_path / "one.txt"), "--prompt", rows[3]["prompt"], *options)
    assert explained.returncode == 0, explained.stderr
    derived = json.loads(explained.stdout)
    assert derived["model"]["score"] == rows[3]["parts"]["model_score"]
    assert derived["config"] == rows[3]["config"]

    other = run("score", file, "-o", str(output), "-r", "rm", "--format", "plain", *model[:-1], "2")
    assert (other.returncode, "choose another output" in other.stderr) == (2, True)  # another number of threads


def test_calibrate_prints_a_query_whose_scores_are_chances(model: tuple[str, ...], tmp_path: Path) -> None:
    plain = ("--format", "plain", *model)
    rows = rollouts(80)
    scored = tmp_path / "scored.jsonl"
    run("score", write(tmp_path / "rows.jsonl", rows), "-r", "rm", "-o", str(scored), *plain)
    scores = [row["parts"]["model_score"] for row in scored_rows(scored.read_text())]
    middle = sorted(scores)[40]
    for n, row in enumerate(rows):  # right above the median, but for every eighth
        row["correct"] = (scores[n] > middle) != (n % 8 == 0)
    result = run("calibrate", write(tmp_path / "labelled.jsonl", rows), *plain)
    assert result.returncode == 0, result.stderr
    assert "80/80" in result.stderr
    *table, query = result.stdout.splitlines()
    assert query.startswith("?transform=affine&mean=")
    assert query.endswith("&threshold=0.5&format=plain")
    figures = {line.split("│")[1].strip(): line.split("│")[2:4] for line in table if line.count("│") == 4}
    assert float(figures["Brier score"][1]) < float(figures["Brier score"][0])
    assert sum(int(figures[kind][1]) for kind in figures if "it" in kind.split()[-1]) == 80
    assert "80 samples are few" in result.stdout


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ([{"completion": "five", "prompt": "2 + 3?"}], "line 1: correct: must be true or false"),
        ([{"completion": "five", "prompt": "2 + 3?", "correct": "yes"}], "line 1: correct: must be true or false"),
        ([{"completion": "five", "prompt": "2 + 3?", "correct": 1}], "no reward model is configured"),
    ],
)
def test_calibrate_says_in_one_line_what_is_wrong(rows: list[dict[str, Any]], complaint: str, tmp_path: Path) -> None:
    result = run("calibrate", write(tmp_path / "rows.jsonl", rows))
    assert (result.returncode, complaint in result.stderr) == (2, True), result.stderr
    assert "Traceback" not in result.stderr


def test_calibrate_says_what_it_left_out_and_why_it_cannot_fit(model: tuple[str, ...], tmp_path: Path) -> None:
    rows = [row | {"correct": 1} for row in rollouts(12)]
    result = run("calibrate", write(tmp_path / "rows.jsonl", rows[:11] + [rows[11] | {"completion": ""}]), *model)
    assert "12 samples are bad_format and left out" in result.stdout  # format=tags
    assert (result.returncode, "0 scored samples are too few" in result.stderr) == (2, True), result.stderr


def test_a_refused_model_is_said_in_one_line(tmp_path: Path) -> None:
    file = write(tmp_path / "rows.jsonl", rollouts(1))
    result = run("score", "-r", "rm", file, "--rm-model", str(tmp_path))
    assert (result.returncode, "no config.json" in result.stderr) == (2, True), result.stderr
    assert "Traceback" not in result.stderr


def test_the_exit_code_is_ours_while_a_thread_computes() -> None:
    script = """
import threading, torch, typer
from reward_server import __main__, cli

computes = threading.Event()

def compute():
    while True:
        torch.ones(200_000).add_(1)
        computes.set()

@cli.app.command()
def leave():
    threading.Thread(target=compute, name="reward-model", daemon=True).start()
    computes.wait()
    print("told", end="")
    raise typer.Exit(7)

__main__.main()
"""
    command = [sys.executable, "-c", script, "leave"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (7, "told", "")
