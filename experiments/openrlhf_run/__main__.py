"""`make openrlhf-run`: every scenario that is not there yet, each checked against the server's record; table and plot.

All of it is kept in `--out`: the policy, and a folder a scenario with the command, OpenRLHF's log, the record, what was
trained on and `result.json`. Delete a folder to have its scenario run again. Ends with 1 when something does not pass.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from benchmarks.processes import unwind_on_sigterm
from experiments.openrlhf_run.findings import findings
from experiments.openrlhf_run.policy import PRETRAINING_STEPS, make_policy
from experiments.openrlhf_run.report import report
from experiments.openrlhf_run.run import run
from experiments.openrlhf_run.scenarios import SCENARIOS, SHORT, Scenario
from experiments.openrlhf_run.server import RecordedServer

SHORT_PRETRAINING_STEPS = 60
"""Enough for tokens and weights of the right kinds; such a policy answers nothing right."""


def make(scenario: Scenario, options: argparse.Namespace, policy: Path) -> None:
    """Runs the scenario and writes its result."""
    folder: Path = options.out / scenario.name.replace(" ", "_").replace(",", "")
    if (folder / "result.json").exists():
        return
    print(f"{scenario.name}: running, see {folder / 'openrlhf.log'}", flush=True)
    done = run(scenario, options.venv.resolve(), policy.resolve(), folder.resolve())
    fresh = RecordedServer(folder / "fresh.jsonl", folder / "server.log")
    fresh.start()
    try:
        found, curves = findings(done, fresh.url)
    finally:
        fresh.stop()
    result = {"name": scenario.name, "seconds": done.seconds, "findings": [asdict(each) for each in found]}
    (folder / "result.json").write_text(json.dumps(result | {"curves": curves}, indent=1) + "\n")
    failed = [each.name for each in found if not each.passes]
    print(f"{scenario.name}: {done.seconds:.0f} s, {'passes' if not failed else f'FAILED: {failed}'}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m experiments.openrlhf_run", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("openrlhf-run"), help="folder of the policy and the runs")
    parser.add_argument(
        "--venv", type=Path, default=Path(".venv-openrlhf"), help="has OpenRLHF, and its copy for a CPU"
    )
    parser.add_argument("--only", nargs="+", choices=SCENARIOS, default=list(SCENARIOS), help="these scenarios")
    parser.add_argument("--short", action="store_true", help="two steps of a policy that knows nothing, 4 minutes")
    parser.add_argument("--report", action="store_true", help="run nothing, show what is there")
    options = parser.parse_args()
    unwind_on_sigterm()  # so that server, Ray and OpenRLHF end with us
    if options.short:
        options.out = options.out / "short"
    policy = options.out / "policy"
    if not options.report:
        make_policy(policy, SHORT_PRETRAINING_STEPS if options.short else PRETRAINING_STEPS)
        for scenario in [SHORT] if options.short else [SCENARIOS[name] for name in options.only]:
            make(scenario, options, policy)
    return 0 if report(options.out) else 1


if __name__ == "__main__":
    sys.exit(main())
