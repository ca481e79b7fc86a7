"""What `make openrlhf-run` compares, without a run: the record of a real server, and the copy of the real OpenRLHF."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from trainer_programs import python_of

from experiments.openrlhf_run import check, cpu_copy
from experiments.openrlhf_run.findings import Finding, findings
from experiments.openrlhf_run.policy import Prompted
from experiments.openrlhf_run.run import Run, command
from experiments.openrlhf_run.scenarios import SCENARIOS, Scenario, noisy
from experiments.openrlhf_run.server import RecordedServer, read_lines, rollouts_paid
from trainer_client.openrlhf_grpo import checks, flags, passed_on
from trainer_client.openrlhf_grpo.arguments import parse

PROMPT = Prompted((10, 1, 1)).prompt
URL = "/score/flip?flip_prob=0.4&seed=17"
NAMES = ("reward", "score", "clean", "flipped", "unscored")


def asked(answer: int, question: int) -> dict[str, Any]:
    """As OpenRLHF sends one rollout."""
    label = json.dumps({"ground_truth": "12", "group": str(question), "visit": 0, "flip": True})
    return {"query": [f"{PROMPT} </think> \\boxed{{{answer}}}"], "prompts": [PROMPT], "labels": [label]}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RecordedServer]:
    """It has paid two questions, each with a right and a wrong rollout."""
    folder = tmp_path_factory.mktemp("recorded")
    server = RecordedServer(folder / "record.jsonl", folder / "server.log")
    server.start()
    for question in range(2):
        for answer in (12, 13):
            httpx.post(server.url + URL, json=asked(answer, question), timeout=600)
    httpx.post(server.url + "/score/verifier", json={"completions": ["x"], "ground_truths": ["1"]}, timeout=600)
    yield server
    server.stop()


def trained_on(server: RecordedServer) -> list[dict[str, Any]]:
    """What a trainer keeps that took every answer as it was, all in step 1."""
    return [
        {"step": 1, "query": query, "label": label, "logs": numbers}
        for (query, label), numbers in check.Answers(rollouts_paid(server.record)).numbers.items()
    ]


def a_run(server: RecordedServer, folder: Path, rollouts: list[dict[str, Any]], log: str) -> dict[str, Finding]:
    """The findings of a run that left these rollouts and this log."""
    scenario = Scenario("filtered", noisy(0.4), questions=32, flags=("--algo.dynamic_filtering_enable",))
    run = Run(scenario, folder, code=0, seconds=1.0, outage=None)
    run.rollouts.parent.mkdir()
    run.rollouts.write_text("".join(json.dumps(each) + "\n" for each in rollouts))
    run.log.write_text(log)
    run.record.write_text(server.record.read_text())
    found, _ = findings(run, server.url)
    return {finding.name: finding for finding in found}


def log_of(rollouts: list[dict[str, Any]], **changed: float) -> str:
    """OpenRLHF's line of a step."""
    mean = sum(each["logs"]["reward"] for each in rollouts) / len(rollouts)
    clean = sum(each["logs"]["clean"] for each in rollouts) / len(rollouts)
    numbers = {
        "reward": mean,
        "clean": clean,
        "kl": 0.0,
        "rollout/reward_mean": mean,
        "rollout/num_samples": len(rollouts),
    } | changed
    return f"(PPOTrainer pid=7) INFO 11-27 ppo_trainer.py:400] Global step 1: {numbers}\n"


def test_the_record_holds_each_answer_as_it_was_given_and_only_rollouts_count_as_paid(server: RecordedServer) -> None:
    lines = read_lines(server.record)
    assert [line["path"] for line in lines] == [URL] * 4 + ["/score/verifier"]
    assert len(rollouts_paid(server.record)) == 4
    again = httpx.post(server.url + URL, json=lines[0]["asked"], timeout=600).json()
    assert lines[0]["answered"] == again
    assert lines[0]["answered"]["extra_logs"]["clean"] == [1.0]


def test_a_run_that_trained_on_what_was_answered_passes(server: RecordedServer, tmp_path: Path) -> None:
    rollouts = trained_on(server)
    found = a_run(server, tmp_path, rollouts, log_of(rollouts))
    assert {name for name, finding in found.items() if not finding.passes} == set()
    assert found["rewards trained on, unlike the record"].text == "0 of 4"


@pytest.mark.parametrize("name", NAMES)
def test_one_number_that_the_trainer_holds_otherwise_is_found(
    server: RecordedServer, tmp_path: Path, name: str
) -> None:
    rollouts = trained_on(server)
    log = log_of(rollouts)
    rollouts[2] = rollouts[2] | {"logs": rollouts[2]["logs"] | {name: 0.25}}
    found = a_run(server, tmp_path, rollouts, log)
    assert found["rewards trained on, unlike the record"] == Finding(
        "rewards trained on, unlike the record", "1 of 4", False
    )


def test_a_rollout_that_nobody_asked_about_is_found(server: RecordedServer, tmp_path: Path) -> None:
    rollouts = trained_on(server)
    rollouts[0] = rollouts[0] | {"query": "something else"}
    found = a_run(server, tmp_path, rollouts, log_of(rollouts))
    assert not found["rewards trained on, unlike the record"].passes


def test_a_mean_that_was_logged_otherwise_is_found(server: RecordedServer, tmp_path: Path) -> None:
    rollouts = trained_on(server)
    found = a_run(server, tmp_path, rollouts, log_of(rollouts, **{"rollout/reward_mean": 0.9}))
    assert not found["means logged, unlike the record"].passes


def test_every_place_that_needs_a_gpu_is_found_in_the_installed_openrlhf_and_changed(tmp_path: Path) -> None:
    venv = Path(python_of("TRAINERS_PYTHON")).parents[1]
    cpu_copy.copy(cpu_copy.installed_in(venv), tmp_path)
    for path in (tmp_path / "openrlhf").rglob("*.py"):
        assert "torch.cuda.current_device()" not in path.read_text()
    keeper = (tmp_path / "openrlhf" / "trainer" / "ppo_trainer.py").read_text()
    assert keeper.count('@__import__("kept_rollouts").keeping') == 1


def test_another_openrlhf_than_the_known_one_is_refused(tmp_path: Path) -> None:
    installed = tmp_path / "openrlhf"
    installed.mkdir()
    (installed / "__init__.py").write_text("torch.cuda.empty_cache()\n")
    with pytest.raises(SystemExit, match="this OpenRLHF has none of: .*current_device"):
        cpu_copy.copy(installed, tmp_path / "cpu")


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_launcher_takes_the_options_of_every_scenario(name: str, tmp_path: Path) -> None:
    words = command(SCENARIOS[name], tmp_path, tmp_path / "policy", tmp_path, "http://127.0.0.1:1")
    options = parse(words[words.index("trainer_client.openrlhf_grpo") + 1 :])
    given, unknown = flags.read(options.extra)
    assert [*checks.problems(options), *passed_on.problems(options, given), *unknown] == []
    assert options.rollouts == 128
    assert options.epochs * SCENARIOS[name].questions == SCENARIOS[name].steps * options.prompts
