"""`run.json`: what a run was, and whether one that is resumed is the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from launching import launched, stand_in_for_openrlhf, words_of

from trainer_client.openrlhf_grpo import environment
from trainer_client.openrlhf_grpo.arguments import parse


def run_of(tmp_path: Path, number: int | None = None) -> dict[str, Any]:
    name = "run.json" if number is None else f"run-{number}.json"
    found: dict[str, Any] = json.loads((tmp_path / "run" / name).read_text())
    return found


def checkpoints(tmp_path: Path) -> Path:
    """As OpenRLHF leaves them."""
    path = tmp_path / "run" / "checkpoints" / "_actor"
    path.mkdir(parents=True)
    return path


def test_a_run_says_what_it_was(tmp_path: Path, server: str) -> None:
    words = words_of(tmp_path, server, "--python", str(stand_in_for_openrlhf(tmp_path)), "--epochs", "2")
    ran = launched([*words, "--eval-dataset", str(tmp_path / "math.jsonl")])
    assert ran.returncode == 7, ran.stderr
    found = run_of(tmp_path)
    assert found["command"][1:3] == ["-m", "openrlhf.cli.train_ppo_ray"]
    assert (found["options"]["epochs"], found["options"]["reward"]) == (2, ["flip", "flip_prob=0.5"])
    installed = {name: found["versions"][name] for name in ("openrlhf", "vllm", "flash_attn")}
    assert installed == {"openrlhf": "0.11.2", "vllm": "0.29.0", "flash_attn": "2.8.3"}
    rewards = httpx.get(f"{server}/rewards", trust_env=False).json()
    assert (found["versions"]["server"], found["versions"]["trainer_client"]) == (
        rewards["version"],
        environment.ours(),
    )
    paid = httpx.post(f"{server}/score/flip?flip_prob=0.5", json={"query": ["q 4"], "prompts": ["q"], "labels": ["4"]})
    assert found["reward"]["config"] == paid.headers["x-reward-config"]
    assert found["reward"]["parameters"]["flip_prob"] == 0.5
    train, evaluation = found["data"]["train"], found["data"]["evaluation"]
    assert (train["rows"], train["questions"], train["visits"]) == (32, 16, 2)
    assert (evaluation["rows"], evaluation["visits"]) == (16, 1)


def test_a_run_has_no_secrets(tmp_path: Path, keyed_server: str) -> None:
    url = keyed_server.replace("http://", "http://user:sesame@")
    words = words_of(tmp_path, url, "--dry-run", "--reward-client", "url")
    ran = launched([*words, "--", "--logger.wandb.key", "open-barley"])
    assert ran.returncode == 0, ran.stderr
    assert "sesame" in ran.stdout and "open-barley" in ran.stdout  # the command itself needs them
    text = (tmp_path / "run" / "run.json").read_text()
    assert "sesame" not in text and "barley" not in text
    assert run_of(tmp_path)["command"][-2:] == ["--logger.wandb.key", "***"]


def test_an_earlier_start_is_kept(tmp_path: Path, server: str) -> None:
    for epochs in ("1", "2", "3"):
        assert launched(words_of(tmp_path, server, "--dry-run", "--epochs", epochs)).returncode == 0
    assert [run_of(tmp_path, number)["options"]["epochs"] for number in (1, 2, None)] == [1, 2, 3]


def test_a_run_is_resumed_under_its_reward_only(tmp_path: Path, server: str) -> None:
    begun = launched(words_of(tmp_path, server, "--dry-run", "--resume"))
    assert (begun.returncode, "so the run begins at its beginning" in begun.stderr) == (0, True)
    checkpoints(tmp_path)
    again = launched(words_of(tmp_path, server, "--dry-run", "--resume"))
    assert (again.returncode, "--ckpt.load_enable" in again.stdout) == (0, True), again.stderr
    assert "warning" not in again.stderr
    other = launched(words_of(tmp_path, server, "--dry-run", "--resume", reward="flip flip_prob=0.4"))
    assert other.returncode == 2
    assert "the reward is not the one that this run began with" in other.stderr
    assert "flip_prob was 0.5, is 0.4" in other.stderr


def test_a_run_is_resumed_with_its_data_only(tmp_path: Path, server: str) -> None:
    assert launched(words_of(tmp_path, server, "--dry-run")).returncode == 0
    checkpoints(tmp_path)
    before = (tmp_path / "run" / "data" / "train.jsonl").read_text()
    ran = launched(words_of(tmp_path, server, "--dry-run", "--resume", "--epochs", "2"))
    assert (ran.returncode, "these are other questions than those" in ran.stderr) == (2, True)
    assert (tmp_path / "run" / "data" / "train.jsonl").read_text() == before


def test_checkpoints_of_another_run_are_not_overwritten(tmp_path: Path, server: str) -> None:
    checkpoints(tmp_path)
    ran = launched(words_of(tmp_path, server, "--dry-run"))
    assert (ran.returncode, "--resume goes on with them" in ran.stderr) == (2, True)
    resumed = launched(words_of(tmp_path, server, "--dry-run", "--resume"))
    assert (resumed.returncode, "nobody knows whether the run began with this reward" in resumed.stderr) == (0, True)


def test_several_nodes_without_a_ray_cluster_are_warned_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needed = ["--model", "m", "--dataset", "d", "--output", "o", "--server-url", "http://h", "--reward", "verifier"]
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(environment, "RAY_CLUSTER", tmp_path / "ray_current_cluster")
    (warning,) = environment.cluster_warnings(parse([*needed, "--nodes", "4"]))
    assert "--nodes 4, and this machine is in no Ray cluster" in warning
    assert not list(environment.cluster_warnings(parse(needed)))
    assert not list(environment.cluster_warnings(parse([*needed, "--nodes", "4", "--dry-run"])))
    (tmp_path / "ray_current_cluster").touch()
    assert not list(environment.cluster_warnings(parse([*needed, "--nodes", "4"])))
