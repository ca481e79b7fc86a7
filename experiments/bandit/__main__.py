"""`make experiment-bandit`: T8 to T12, T17 and T18 against a live server, with a table, and the curves in a file.

Every reward that comes over HTTP is compared with the server's pure functions in this process, bit for bit.
"""

from __future__ import annotations

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn
from rich.table import Table

from benchmarks.processes import reward_server
from experiments.bandit.canned import Canned, canned
from experiments.bandit.laws import LAWS, Finding, Matrix
from experiments.bandit.rewards import Compared, Floats
from experiments.bandit.training import Setting, train


class Trainer:
    """Runs and keeps the curves by name; the same name is trained once."""

    def __init__(self, server: str, progress: Progress) -> None:
        self.curves: dict[str, Floats] = {}
        self.requests = self.samples = 0
        self._server, self._progress = server, progress
        self._answers: dict[bytes, Canned] = {}

    def __call__(self, name: str, setting: Setting, is_right: Matrix, query: str) -> Floats:
        if name not in self.curves:
            answers = self._answers.setdefault(is_right.tobytes(), canned(is_right))
            task = self._progress.add_task(name, total=setting.steps)
            with Compared(self._server, query, answers) as rewards_of:
                self.curves[name] = train(setting, is_right, rewards_of, lambda: self._progress.advance(task))
            steps = self.curves[name].shape[1] - 1
            self._progress.update(task, total=steps)
            self.requests, self.samples = self.requests + steps, self.samples + rewards_of.samples
        return self.curves[name]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m experiments.bandit", description=__doc__)
    parser.add_argument("--plot", type=Path, help="where to draw the curves, a PNG file")
    options = parser.parse_args()
    if options.plot is not None and find_spec("matplotlib") is None:
        parser.error("--plot needs matplotlib, which is not installed: make experiment-bandit installs it")
    columns = (*Progress.get_default_columns(), MofNCompleteColumn(), TimeElapsedColumn())
    with reward_server() as (server, _), Progress(*columns) as progress:
        run = Trainer(server, progress)
        findings = [finding for law in LAWS for finding in law(run)]
    Console().print(table(findings))
    print(f"{run.samples} rewards in {run.requests} steps; over HTTP and in process the same, bit for bit")
    if options.plot is not None:
        from experiments.bandit.plot import draw

        draw(run.curves, options.plot)
    return 0 if all(finding.holds for finding in findings) else 1


def table(findings: list[Finding]) -> Table:
    made = Table("test", "what", "value", "band", "holds")
    for f in findings:
        made.add_row(f.test, f.what, f"{f.value:.3g}", f"{f.low:.3g} … {f.high:.3g}", "yes" if f.holds else "NO")
    return made


if __name__ == "__main__":
    sys.exit(main())
