"""Runs by GRPO, each a process in the trainers' environment, some at once, on rewards of one live server."""

from __future__ import annotations

import argparse
import os
import subprocess
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
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
    """Every run: the first seed of all arms, then the second seeds, then the third. `steps`, `falls_for`: of an arm
    that is not `longer`."""

    def run(arm: Arm, seed: int) -> Run:
        return Run(arm, seed, folder, round(arm.longer * steps), round(arm.longer * (falls_for or steps)), program)

    runs = [run(arm, seed) for arm in arms for seed in arm.seeds]
    return sorted(runs, key=lambda run: run.seed)


class Trainers:
    """The processes that train now. Once it is ended they end, and no other starts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[str]] = set()
        self._is_ended = False

    @contextmanager
    def started(self, command: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
        """One of them, what it prints in one pipe. Raises RuntimeError where they were ended."""
        own = {"PYTHONPATH": os.getcwd(), "TOKENIZERS_PARALLELISM": "false", "PYTHONUNBUFFERED": "1"}
        with self._lock:
            if self._is_ended:
                raise RuntimeError("it was not started, since the others were ended")
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ | own
            )
            self._running.add(process)
        with process:
            yield process
        self._running.discard(process)

    def end(self) -> None:
        with self._lock:
            self._is_ended = True
            for process in self._running:
                process.terminate()


def train(
    run: Run, options: argparse.Namespace, server: str, trainers: Trainers, progress: Progress, task: TaskID
) -> None:
    """Runs its program in the trainers' environment. Raises RuntimeError with its last words if it fails."""
    command = [
        str(options.trainers_python), "-m", run.program, "--base", str(options.out / "base"),
        "--server", server, "--arm", run.arm.name, "--seed", str(run.seed), "--steps", str(run.steps),
        "--falls-for", str(run.falls_for), "--out", str(run.result),
    ]  # fmt: skip
    log = run.result.with_suffix(".log")
    progress.start_task(task)
    with log.open("w", buffering=1) as kept, trainers.started(command) as process:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        for line in process.stdout:
            kept.write(line)
            step, _, accuracy = line.strip().partition(" ")
            if step.isdigit():
                progress.update(task, completed=int(step), accuracy=accuracy)
    if process.returncode != 0:
        raise RuntimeError(f"{run.name} ended with {process.returncode}: {log.read_text()[-2000:]}")


def train_all(runs: list[Run], options: argparse.Namespace, *server_options: str) -> None:
    """Trains those runs whose result is not there yet. If one fails, or this program is ended, all end: what is
    finished is kept, and the rest can be made later."""
    missing = [run for run in runs if not run.result.exists()]
    columns = (*Progress.get_default_columns(), TimeElapsedColumn(), TextColumn("accuracy {task.fields[accuracy]}"))
    with (
        reward_server(*server_options) as (server, _),
        Progress(*columns) as progress,
        ThreadPoolExecutor(options.at_once) as pool,
    ):
        tasks = [progress.add_task(run.name, start=False, total=run.steps, accuracy="-") for run in missing]
        trainers = Trainers()
        jobs = [
            pool.submit(train, run, options, server, trainers, progress, task)
            for run, task in zip(missing, tasks, strict=True)
        ]
        try:
            for job in as_completed(jobs):
                job.result()
        except BaseException:  # also SystemExit, of `kill`: else the pool would wait for hours
            trainers.end()
            raise
