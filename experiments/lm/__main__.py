"""`make experiment-lm`: base policy, reward model, every run that is not there yet, then plot and table.

All of it is kept in `--out`: `base/`, `rm/`, and one JSON file a run. An interrupted experiment goes on where it was;
delete a file to have it made again. `--report` only draws what is there.
"""

from __future__ import annotations

import argparse
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.progress import Progress, TaskID, TextColumn, TimeElapsedColumn

from benchmarks.processes import reward_server
from experiments.lm.arms import ARMS, Arm
from experiments.lm.policy import pretrain
from experiments.lm.report import report
from experiments.lm.reward_model import train_reward_model
from experiments.lm.task import questions

PRETRAINING_STEPS = 700
RM_STEPS, RM_ACCURACY = 400, 0.75


@dataclass(frozen=True)
class Run:
    """One training by GRPO, and the file its result goes to."""

    arm: Arm
    seed: int
    folder: Path

    @property
    def name(self) -> str:
        return f"{self.arm.name} seed {self.seed}"

    @property
    def result(self) -> Path:
        return self.folder / f"{self.name.replace(' ', '_')}.json"


def prepare(folder: Path) -> None:
    """The base policy and the reward model, unless they are there."""
    _, for_grpo, for_reward_model = questions()
    if not (folder / "base" / "config.json").exists():
        pretrain(for_grpo + for_reward_model, folder / "base", PRETRAINING_STEPS)
    if not (folder / "rm" / "config.json").exists():
        accuracy = train_reward_model(
            folder / "base", for_reward_model, for_grpo, folder / "rm", accuracy=RM_ACCURACY, steps=RM_STEPS
        )
        (folder / "rm-accuracy.txt").write_text(f"{accuracy:.3f}\n")


def train(run: Run, options: argparse.Namespace, server: str, progress: Progress, task: TaskID) -> None:
    """Runs `experiments.lm.grpo` in the trainers' environment. Raises RuntimeError with its last words if it fails."""
    command = [
        str(options.trainers_python), "-m", "experiments.lm.grpo", "--base", str(options.out / "base"),
        "--server", server, "--arm", run.arm.name, "--seed", str(run.seed), "--steps", str(options.steps),
        "--out", str(run.result),
    ]  # fmt: skip
    log = run.result.with_suffix(".log")
    environment = os.environ | {"PYTHONPATH": os.getcwd(), "TOKENIZERS_PARALLELISM": "false"}
    progress.start_task(task)
    with (
        log.open("w", buffering=1) as kept,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
        ) as process,
    ):
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        for line in process.stdout:
            kept.write(line)
            step, _, accuracy = line.strip().partition(" ")
            if step.isdigit():
                progress.update(task, completed=int(step), accuracy=accuracy)
    if process.returncode != 0:
        raise RuntimeError(f"{run.name} ended with {process.returncode}: {log.read_text()[-2000:]}")


def train_all(runs: list[Run], options: argparse.Namespace) -> None:
    columns = (*Progress.get_default_columns(), TimeElapsedColumn(), TextColumn("accuracy {task.fields[accuracy]}"))
    with (
        reward_server("--rm-model", str(options.out / "rm"), "--rm-threads", "1") as (server, _),
        Progress(*columns) as progress,
        ThreadPoolExecutor(options.at_once) as pool,
    ):
        tasks = [progress.add_task(run.name, start=False, total=options.steps, accuracy="-") for run in runs]
        jobs = [pool.submit(train, run, options, server, progress, task) for run, task in zip(runs, tasks, strict=True)]
        for job in jobs:
            job.result()


def planned(folder: Path) -> list[Run]:
    """Every run: the first seed of all arms, then the second seeds, then the third."""
    runs = [Run(arm, seed, folder) for arm in ARMS.values() for seed in arm.seeds]
    return sorted(runs, key=lambda run: run.seed)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m experiments.lm", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("experiment-lm"), help="folder of models and results")
    parser.add_argument("--trainers-python", type=Path, default=Path(".venv-trainers/bin/python"), help="has TRL")
    parser.add_argument("--steps", type=int, default=200, help="GRPO steps of a run (default: 200)")
    parser.add_argument("--at-once", type=int, default=2, help="runs at once, one core each (default: 2)")
    parser.add_argument("--report", action="store_true", help="train nothing, draw what is there")
    parser.add_argument("--plot", type=Path, help="PNG file; default: in the folder")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    if not options.report:
        torch.set_num_threads(1)  # the sums, and so the models, depend on it
        prepare(options.out)
        train_all([run for run in planned(options.out) if not run.result.exists()], options)
    report(options.out, options.plot or options.out / "experiment-lm.png")


if __name__ == "__main__":
    main()
