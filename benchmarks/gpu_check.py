#!/usr/bin/env python3
"""The reward model on a GPU: is it right, repeatable, how fast, and how does it fail?

    python -m benchmarks.gpu_check --out DIR                       # about nine minutes on an H100
    python -m benchmarks.gpu_check --out DIR --device cpu --tiny   # two minutes anywhere: the same code on toy sizes
    python -m benchmarks.gpu_check --out DIR --only 5 7            # some steps

| step | answers | limit, s |
|---|---|---|
| 0 | ceilings: a large product, a copy, what one small forward pass costs the host | 40 |
| 1 | are scores right, against whole texts in float32 with eager attention? | 60 |
| 2, 2again | has one text one value in every mix, beside other work, in a second process? | 60, 60 |
| 3 | which attention kernels run in each branch | 40 |
| 5 | completion tokens a second: engine packed and not, OpenRLHF's serve_rm logic, plain loop | 150 |
| 6default, 6engine, 6lt, 6vllm | does a row of a product depend on its company? for four settings of cuBLAS | 25 each |
| 4 | running out of memory | 40 |
| 7 | over HTTP; SIGSTOP, SIGTERM and a broken device in a burst | 90 |
| 8 | a model of 7B: how it is read, and where it does not fit | 60 |
| 9 | a packed pass beside what may make it faster: true lengths, fused norms, a CUDA graph, `torch.compile` | 90 |
| 9after | attention behind a kept prompt beside PyTorch's `causal_lower_right` | 30 |

Each step is a process of its own with a limit, the most valuable first. DIR/results.json has all figures so far after
every step, DIR/log.txt what was printed. Models are random, of Qwen2.5's shapes, so the figures say nothing of rewards.

On a machine without a package index take `make gpu-kit` along (wheels for Python 3.12, without torch) and run

    python3 -m pip install --quiet --no-index --no-deps --find-links .gpu-kit --target .gpu-packages \\
        -r .gpu-kit/requirements.txt
    PYTHONPATH=.gpu-packages python3 -m benchmarks.gpu_check --out DIR
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import shutil
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import Any

STEPS = {
    "0": ("ceilings", 40), "1": ("correct", 60), "2": ("bits", 60), "2again": ("bits", 60), "3": ("kernels", 40),
    "5": ("speed", 150), "6default": ("products", 25), "6engine": ("products", 25), "6lt": ("products", 25),
    "6vllm": ("products", 25), "4": ("memory", 40), "7": ("over_http", 90), "8": ("large", 60), "9": ("trials", 90),
    "9after": ("after_prompt", 30),
}  # fmt: skip
"""In the order of their value: module of `benchmarks.gpu`, and seconds."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, type=Path, help="folder for the figures")
    parser.add_argument("--device", default="cuda", help="cuda, cuda:1 or cpu")
    parser.add_argument("--tiny", action="store_true", help="toy sizes, to try the program itself")
    parser.add_argument("--only", nargs="+", choices=STEPS, default=list(STEPS), help="some steps")
    parser.add_argument("--budget-s", type=float, default=540, help="seconds for all steps (default: %(default)s)")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)  # one step, in this process
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    if given.step:
        _run_step(given)
    else:
        sys.exit(_run_all(given))


def _run_step(given: argparse.Namespace) -> None:
    import torch

    from benchmarks.gpu.bench import Bench

    if given.tiny:
        torch.set_num_threads(1)  # more would spin beside each other on a machine that does other work too
    bench = Bench(given.step, torch.device(given.device), given.tiny, given.out)
    started = time.perf_counter()
    try:
        importlib.import_module(f"benchmarks.gpu.{STEPS[given.step][0]}").run(bench)
    except BaseException:
        bench.say("failed", traceback.format_exc()[-2000:])
        raise
    finally:
        bench.say("seconds", round(time.perf_counter() - started, 1))


def _run_all(given: argparse.Namespace) -> int:
    """0 where every step ended by itself."""
    work = given.out / "work"
    work.mkdir(exist_ok=True)
    ends = time.monotonic() + given.budget_s
    results: dict[str, Any] = {"machine": _machine(given.device)}
    for step in given.only:
        limit = min(STEPS[step][1], ends - time.monotonic()) if not given.tiny else 300
        if limit < 5:
            print(f"step {step}: no time left", flush=True)
            continue
        results[step] = _one(given, step, work, limit)
        (given.out / "results.json").write_text(json.dumps(results, indent=1) + "\n")
        _print(step, results[step])
    shutil.rmtree(work)
    return int(any(results[step]["ended"] != 0 for step in given.only if step in results))


def _one(given: argparse.Namespace, step: str, work: Path, limit: float) -> dict[str, Any]:
    from benchmarks.gpu.products import WITHOUT_SPLITS

    command = [sys.executable, "-m", "benchmarks.gpu_check", "--out", str(work), "--device", given.device]
    command += ["--step", step, *(["--tiny"] if given.tiny else [])]
    environment = os.environ | (WITHOUT_SPLITS if step == "6vllm" else {})
    with (given.out / "log.txt").open("a") as log:
        try:
            ended: int | str = subprocess.run(
                command, env=environment, stdout=log, stderr=log, timeout=limit
            ).returncode
        except subprocess.TimeoutExpired:
            ended = "out of time"
    kept = work / f"{step}.json"
    figures = json.loads(kept.read_text()) if kept.exists() else {}
    return {name: value for name, value in figures.items() if name != "values"} | {"ended": ended}


def _machine(device: str) -> dict[str, Any]:
    import torch
    import transformers

    is_gpu = device.startswith("cuda") and torch.cuda.is_available()
    return {
        "date": time.strftime("%Y-%m-%d"),
        "card": torch.cuda.get_device_name(device) if is_gpu else "none",
        "python": sys.version.split()[0],
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }


def _print(step: str, figures: dict[str, Any]) -> None:
    ended = figures["ended"]
    print(f"step {step}: {'ok' if ended == 0 else ended}, {figures.get('seconds', '?')} s")
    for name, value in figures.items():
        if name not in ("seconds", "ended"):
            print(f"  {name}: {json.dumps(value)[:500]}")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
