"""`make experiment-lm`: base policy, reward model, every run that is not there yet, then plot and table.

All of it is kept in `--out`: `base/`, `rm/`, and one JSON file a run. An interrupted experiment goes on where it was;
delete a file to have it made again. `--report` only draws what is there.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from experiments.lm.arms import ARMS
from experiments.lm.policy import pretrain
from experiments.lm.report import report
from experiments.lm.reward_model import train_reward_model
from experiments.lm.runs import add_options, planned, train_all
from experiments.lm.task import SUMS, questions

PRETRAINING_STEPS = 700
RM_STEPS, RM_ACCURACY = 400, 0.75


def prepare_policy(folder: Path, answers: int = SUMS) -> None:
    """The base policy, unless it is there. One thread: the sums, and so the models, depend on it."""
    torch.set_num_threads(1)
    _, for_grpo, for_reward_model = questions(answers)
    if not (folder / "base" / "config.json").exists():
        pretrain(for_grpo + for_reward_model, folder / "base", PRETRAINING_STEPS)


def prepare_reward_model(folder: Path) -> None:
    """The reward model of that policy, unless it is there."""
    _, for_grpo, for_reward_model = questions()
    if not (folder / "rm" / "config.json").exists():
        accuracy = train_reward_model(
            folder / "base", for_reward_model, for_grpo, folder / "rm", accuracy=RM_ACCURACY, steps=RM_STEPS
        )
        (folder / "rm-accuracy.txt").write_text(f"{accuracy:.3f}\n")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m experiments.lm", description=__doc__)
    add_options(parser, "experiment-lm", 200, ARMS)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    if not options.report:
        prepare_policy(options.out)
        prepare_reward_model(options.out)
        runs = planned([ARMS[name] for name in options.arm or ARMS], options.out, options.steps)
        train_all(runs, options, "--rm-model", str(options.out / "rm"), "--rm-threads", "1")
    report(options.out, options.plot or options.out / "experiment-lm.png")


if __name__ == "__main__":
    main()
