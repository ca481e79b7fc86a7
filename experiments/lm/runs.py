"""Runs by GRPO, each a process in the trainers' environment, some at once, on rewards of one live server."""

from __future__ import annotations

import argparse
import os
import subprocess
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from rich.progress import Progress, TaskID, TextColumn, TimeElapsedColumn

from benchmarks.processes import reward_server
from experiments.lm.arms import Arm


@dataclass(frozen=True)
class Run:
    """One training by GRPO, and the file its result goes to.

    `steps`: how many are trained. `falls_for`: over how many the learning rate falls to 0. `program`: a module whose
    command line is that of `experiments.lm.grpo`.
    """

    arm: Arm
    seed: int
    folder: Path
    steps: int
    falls_for: int
    program: str

    @property
    def name(self) -> str:
        return f"{self.arm.name} seed {self.seed}"

    @property
    def result(self) -> Path:
        return self.folder / f"{self.name.replace(' ', '_')}.json"


def add_options(parser: argparse.ArgumentParser, out: str, steps: int, arms: Iterable[str]) -> None:
    """The options that experiments with these runs share; `out`, `steps`: defaults."""
    parser.add_argument("--arm", choices=arms, action="append", help="train only this one; may be repeated")
    parser.add_argument("--out", type=Path, default=Path(out), help="folder of models and results")
    parser.add_argument("--trainers-python", type=Path, default=Path(".venv-trainers/bin/python"), help="has TRL")
    parser.add_argument("--steps", type=int, default=steps, help=f"GRPO steps of a run (default: {steps})")
    parser.add_argument("--at-once", type=int, default=2, help="runs at once, one core each (default: 2)")
    parser.add_argument("--report", action="store_true", help="train nothing, draw what is there")
    parser.add_argument("--plot", type=Path, help="PNG file; default: in the folder")


def planned(
    arms: Iterable[Arm], folder: Path, steps: int, falls_for: int | None = None, program: str = "experiments.lm.grpo"
) -> list[Run]:
    """Every run: the first seed of all arms, then the second seeds, then the third."""
    runs = [Run(arm, seed, folder, steps, falls_for or steps, program) for arm in arms for seed in arm.seeds]
    return sorted(runs, key=lambda run: run.seed)


def train(run: Run, options: argparse.Namespace, server: str, progress: Progress, task: TaskID) -> None:
    """Runs its program in the trainers' environment. Raises RuntimeError with its last words if it fails."""
    command = [
        str(options.trainers_python), "-m", run.program, "--base", str(options.out / "base"),
        "--server", server, "--arm", run.arm.name, "--seed", str(run.seed), "--steps", str(run.steps),
        "--falls-for", str(run.falls_for), "--out", str(run.result),
    ]  # fmt: skip
    log = run.result.with_suffix(".log")
    environment = os.environ | {"PYTHONPATH": os.getcwd(), "TOKENIZERS_PARALLELISM": "false", "PYTHONUNBUFFERED": "1"}
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


def train_all(runs: list[Run], options: argparse.Namespace, *server_options: str) -> None:
    """Trains those runs whose result is not there yet."""
    missing = [run for run in runs if not run.result.exists()]
    columns = (*Progress.get_default_columns(), TimeElapsedColumn(), TextColumn("accuracy {task.fields[accuracy]}"))
    with (
        reward_server(*server_options) as (server, _),
        Progress(*columns) as progress,
        ThreadPoolExecutor(options.at_once) as pool,
    ):
        tasks = [progress.add_task(run.name, start=False, total=run.steps, accuracy="-") for run in missing]
        jobs = [
            pool.submit(train, run, options, server, progress, task) for run, task in zip(missing, tasks, strict=True)
        ]
        for job in jobs:
            job.result()
