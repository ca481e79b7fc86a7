"""`make experiment-rm`: nine rewards, three seeds each, and whether what was predicted came true.

All of it is kept in `--out`: `base/`, the policy, and one JSON file a run. An interrupted experiment goes on where it
was; delete a file to have it made again. `--report` only draws what is there. Exit status 1 where a pass fails.
`--trained` asks reward models that were trained instead of simulated ones: seven runs, in `OUT/trained`.
"""

from __future__ import annotations

import argparse
import sys

from experiments.lm.__main__ import prepare_policy
from experiments.lm.arms import JUDGE_ARMS, TRAINED_ARMS
from experiments.lm.runs import add_options, planned, train_all
from experiments.rm import trained
from experiments.rm.report import report

STEPS, FALLS_FOR = 120, 200
"""The learning rate is that of the first 120 of 200 steps: a short budget, where the speed of learning shows."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m experiments.rm", description=__doc__)
    add_options(parser, "experiment-rm", STEPS, JUDGE_ARMS | TRAINED_ARMS)
    parser.add_argument("--trained", action="store_true", help="with trained reward models, about 20 minutes")
    options = parser.parse_args()
    options.out = options.out / "trained" if options.trained else options.out
    options.out.mkdir(parents=True, exist_ok=True)
    plot = options.plot or options.out / f"{options.out.name}.png"
    falls_for = max(FALLS_FOR, options.steps)
    if options.trained:
        if not options.report:
            trained.run(options, falls_for)
        trained.report(options.out, plot)
        return 0
    if not options.report:
        prepare_policy(options.out)
        arms = [JUDGE_ARMS[name] for name in options.arm or JUDGE_ARMS]
        train_all(planned(arms, options.out, options.steps, falls_for), options)
    return 0 if report(options.out, plot) else 1


if __name__ == "__main__":
    sys.exit(main())
