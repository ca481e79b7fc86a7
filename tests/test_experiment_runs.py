"""Runs of an experiment: none trains on after its program, and the first that fails ends the rest."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from running_server import HANG_S, until

ROOT = Path(__file__).parents[1]
TRAINER = """
import os, sys, time
seed = sys.argv[sys.argv.index("--seed") + 1]
while seed == "1" and {fails} and not os.path.exists("p=0_seed_0.log"): time.sleep(0.02)
print("trains", os.getpid(), flush=True)
if seed == "1" and {fails}: raise SystemExit(3)
time.sleep(600)
"""
"""Stands for a training of hours: it ends when it is ended. The second one fails once the first is there."""
PROGRAM = """
import sys
from argparse import Namespace
from pathlib import Path
from experiments.lm.arms import Arm
from experiments.lm.runs import Run, train_all

here = Path()
runs = [Run(Arm("p=0", "/score/verifier"), seed, here, 1, 1, "trainer") for seed in range(3)]
train_all(runs, Namespace(trainers_python=Path(sys.executable), out=here, at_once=2))
"""


def _started(folder: Path, fails: bool) -> subprocess.Popen[str]:
    (folder / "trainer.py").write_text(TRAINER.format(fails=fails))
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def _trainers(folder: Path) -> list[int]:
    return [int(log.read_text().split()[1]) for log in folder.glob("*.log") if log.read_text().endswith("\n")]


def _is_gone(process: int) -> bool:
    return not Path(f"/proc/{process}").exists()


def test_kill_ends_the_trainers_and_the_server_too(tmp_path: Path) -> None:
    with _started(tmp_path, fails=False) as program:
        until(lambda: len(_trainers(tmp_path)) == 2 or program.poll() is not None)
        children = [int(pid) for pid in Path(f"/proc/{program.pid}/task/{program.pid}/children").read_text().split()]
        program.send_signal(signal.SIGTERM)
        assert program.wait(HANG_S) == 143
    started = {*children, *_trainers(tmp_path)}
    assert len(started) == 3  # the server and two trainers: the third run was not begun
    assert all(map(_is_gone, started))


def test_a_run_that_fails_ends_the_others_and_is_told(tmp_path: Path) -> None:
    with _started(tmp_path, fails=True) as program:
        _, told = program.communicate(timeout=HANG_S)
    assert program.returncode == 1
    assert "RuntimeError: p=0 seed 1 ended with 3: trains" in told
    assert all(map(_is_gone, _trainers(tmp_path)))
