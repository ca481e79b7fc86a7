"""One run: server, Ray, our launcher's command until it ends. Everything it leaves is in the scenario's folder."""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from experiments.openrlhf_run.cluster import environment, ray_head
from experiments.openrlhf_run.policy import write_questions
from experiments.openrlhf_run.scenarios import CPU_FLAGS, EVALUATED, EVALUATION_FLAGS, ONE_CPU, SETTINGS, Scenario
from experiments.openrlhf_run.server import RecordedServer

LONGEST_S = 3600


@dataclass(frozen=True)
class Run:
    """What a run left: `code` is OpenRLHF's exit code, `outage` begin and end of the time without a server."""

    scenario: Scenario
    folder: Path
    code: int
    seconds: float
    outage: tuple[float, float] | None

    @property
    def log(self) -> Path:
        return self.folder / "openrlhf.log"

    @property
    def record(self) -> Path:
        return self.folder / "record.jsonl"

    @property
    def rollouts(self) -> Path:
        return self.folder / "out" / "rollouts.jsonl"


def command(scenario: Scenario, venv: Path, policy: Path, folder: Path, url: str) -> list[str]:
    """The launcher's, with what a CPU needs behind `--`."""
    evaluation = ["--eval-dataset", str(folder / "evaluation.jsonl"), "--eval-steps", str(scenario.evaluates_every)]
    return [
        str(venv / "bin" / "python"), "-m", "trainer_client.openrlhf_grpo", "--model", str(policy),
        "--dataset", str(folder / "training.jsonl"), "--output", str(folder / "out"), "--server-url", url,
        "--reward", *scenario.reward, "--epochs", str(scenario.epochs), *SETTINGS, *ONE_CPU, *scenario.options,
        *(evaluation if scenario.evaluates_every else []),
        "--", *CPU_FLAGS, "--ds.zero_stage", str(scenario.zero_stage), *scenario.flags,
        *(EVALUATION_FLAGS if scenario.evaluates_every else []),
    ]  # fmt: skip


def run(scenario: Scenario, venv: Path, policy: Path, folder: Path) -> Run:
    """Replaces what is in `folder`."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_questions(
        folder / "training.jsonl", folder / "evaluation.jsonl", count=scenario.questions, evaluated=EVALUATED
    )
    server = RecordedServer(folder / "record.jsonl", folder / "server.log")
    variables = environment(venv)
    has_ended = threading.Event()
    killer = threading.Thread(target=server.kill, args=(scenario, has_ended))
    began = time.monotonic()
    server.start()
    try:
        with ray_head(venv, variables, folder / "ray.log") as address, (folder / "openrlhf.log").open("w") as log:
            if scenario.outage_s:
                killer.start()
            words = command(scenario, venv, policy, folder, server.url)
            (folder / "command.txt").write_text("\n".join(words) + "\n")
            done = subprocess.run(
                words, stdout=log, stderr=subprocess.STDOUT, env=variables | {"RAY_ADDRESS": address},
                timeout=LONGEST_S, cwd=folder, check=False,
            )  # fmt: skip
    finally:
        has_ended.set()
        if killer.ident is not None:
            killer.join()
        server.stop()
    return Run(scenario, folder, done.returncode, time.monotonic() - began, server.outage)
