"""The program that is run on a lent GPU is run whole on a CPU, so that no minute there is spent on a typing error."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the check of a GPU needs torch")
ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    out = tmp_path_factory.mktemp("gpu")
    command = [sys.executable, "-m", "benchmarks.gpu_check", "--out", str(out), "--device", "cpu", "--tiny"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + (out / "log.txt").read_text()
    assert not (out / "work").exists()
    found: dict[str, Any] = json.loads((out / "results.json").read_text())
    return found


def test_every_step_ends_by_itself_with_figures(results: dict[str, Any]) -> None:
    steps = {name: figures for name, figures in results.items() if name != "machine"}
    assert {figures["ended"] for figures in steps.values()} == {0}
    assert all(len(figures) > 2 for figures in steps.values())
    assert results["machine"]["card"] == "none"


def test_scores_are_right_and_have_one_value_in_every_mix_and_process(results: dict[str, Any]) -> None:
    errors = {name: value for name, value in results["1"].items() if name.startswith("largest error")}
    assert len(errors) == 5
    assert all(error < (1e-4 if "float32" in name else 0.05 * results["1"]["spread"]) for name, error in errors.items())
    for step in ("2", "2again"):
        assert results[step]["most values of a text, packing 256 to 2048"] == 1
        assert results[step]["most values of a text, packing off"] == 1
    assert results["2again"]["texts with other bits in a second process"] == 0


def test_trials_of_a_pass_say_what_each_brings_and_whether_it_keeps_the_bits(results: dict[str, Any]) -> None:
    trials = next(figures for name, figures in results["9"].items() if name.startswith("tiny"))
    assert trials.pop("as it is, in a row")["done, ms a pass"] > 0
    graphs = [trials.pop(name) for name in ("CUDA graph", "fused norms, CUDA graph")]
    assert all("needs a GPU" in reason for reason in graphs)
    assert trials.keys() == {"as it is", "true lengths", "fused norms", "compiled"}
    assert {figures["values"] for figures in trials.values()} == {1}
    assert [trials[name]["bits"] for name in ("as it is", "true lengths")] == [True, True]
    assert 0 < trials["fused norms"]["relative distance"] < 0.05  # rounded elsewhere
    assert (
        max(figures["largest difference"] for figures in results["9after"].values() if isinstance(figures, dict)) < 0.05
    )


def test_a_server_that_is_stopped_ended_or_broken_answers_what_it_accepted(results: dict[str, Any]) -> None:
    assert results["7"]["stopped for 5 s in a burst"] == "32 of 32 samples have a score"
    broken = results["7"]["an invalid index on the device"]
    assert broken["/ready"] == 503


def test_a_step_that_fails_leaves_its_reason_and_stops_no_other(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.gpu_check", "--out", str(tmp_path), "--device", "cuda:99", "--tiny"]
    done = subprocess.run([*command, "--only", "6default", "0"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    found = json.loads((tmp_path / "results.json").read_text())
    assert [found[step]["ended"] for step in ("6default", "0")] == [1, 1]
    # a build of PyTorch for CPUs, for CUDA without a GPU, and for CUDA with one
    assert any(word in found["0"]["failed"] for word in ("CUDA", "NVIDIA", "cuda:99"))
