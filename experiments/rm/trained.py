"""The same with reward models that were trained. The last digit of the sum is asked for: no answer is near another.

Each model is trained as those of Lv et al. 2025 (mean squared error to 1 and 0, an answer without its reasoning) until
it is right 65, 75 and 85 % of the time. Wrong answers are the policy's own guesses.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.processes import reward_server
from experiments.curves import draw, read, show
from experiments.lm.__main__ import prepare_policy
from experiments.lm.arms import PHRASES, TRAINED_ARMS
from experiments.lm.runs import planned, train_all
from experiments.lm.task import LAST_DIGITS, questions
from experiments.rm.judged import Judged, ask, calibrate
from experiments.rm.reward_models import train_reward_models

PERCENTS = (65, 75, 85)
PANELS = {
    f"A reward model of {percent} %": ("clean, last digit", f"RM {percent} %", f"RM {percent} % + RPR")
    for percent in PERCENTS
}
COLORS = {
    name: "0.45" if name.startswith("clean") else "#2471a3" if name.endswith("RPR") else "#c0392b"
    for name in TRAINED_ARMS
}


def run(options: argparse.Namespace, falls_for: int) -> None:
    """Policy, reward models, what they pay for, then the runs that are not there yet."""
    prepare_policy(options.out, LAST_DIGITS)
    prepare_reward_models(options.out)
    for percent in PERCENTS:
        judge(options.out, options.out / f"rm-{percent}")
    tell(options.out, Console())
    arms = [TRAINED_ARMS[name] for name in options.arm or TRAINED_ARMS]
    runs = planned(arms, options.out, options.steps, falls_for)
    for percent in PERCENTS:
        own = [run for run in runs if f"{percent} %" in run.name or "%" not in run.name]
        train_all(own, options, *with_model(options.out / f"rm-{percent}"))


def prepare_reward_models(out: Path) -> None:
    """The reward models of that policy, unless they are there."""
    _, for_grpo, for_reward_model = questions(LAST_DIGITS)
    folders = {percent / 100: out / f"rm-{percent}" for percent in PERCENTS}
    if not all((folder / "config.json").exists() for folder in folders.values()):
        reached = train_reward_models(out / "base", for_reward_model, for_grpo, folders)
        (out / "reached.txt").write_text("".join(f"{wanted:.2f} {got:.3f}\n" for wanted, got in reached.items()))


def judge(out: Path, model: Path) -> None:
    """Writes what the model pays for, and what `calibrate` says of it, unless that is there."""
    held_out, _, _ = questions(LAST_DIGITS)
    result = out / f"{model.name}.judged"
    if not result.exists():
        said = calibrate(held_out, out / f"{model.name}.jsonl", *with_model(model))
        (out / f"{model.name}.calibrate.txt").write_text(said)
        with reward_server(*with_model(model)) as (server, _):
            result.write_text(json.dumps(asdict(ask(server, held_out, PHRASES))))


def with_model(folder: Path) -> tuple[str, ...]:
    return "--rm-model", str(folder), "--rm-threads", "1"


def tell(out: Path, console: Console) -> None:
    """Prints what each model pays for, and what a policy will learn of that."""
    names = (name.replace("_", " ") for name in Judged.__annotations__)
    table = Table("reward model", *names, "bonus", "the policy")
    for percent in PERCENTS:
        path = out / f"rm-{percent}.judged"
        if path.exists():
            each = Judged(**json.loads(path.read_text()))
            figures = [f"{value:.3f}" for value in (*asdict(each).values(), each.bonus)]
            table.add_row(f"{percent} %", *figures, each.fate)
    console.print(table)


def report(out: Path, plot: Path) -> None:
    """Prints what was told before the runs, and how they ended; draws the curves."""
    console, found = Console(), read(out, TRAINED_ARMS)
    tell(out, console)
    show(found, console)
    draw(found, plot, PANELS, COLORS)
    console.print(f"{sum(map(len, found.values()))} runs; the picture is {plot}")
