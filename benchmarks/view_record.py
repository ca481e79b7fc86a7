"""How long `reward-server view` takes on a large record: the first page from cold, further ones, growth, memory.

    python -m benchmarks.view_record --rows 1000000 --chars 1000

The rows are written by the code that records, from a few derivations of the real Scorer: runs of 1,024 rows a step, 8
rollouts a question. Times are of one run: wall seconds, and CPU seconds of the page's process, which other work on the
machine does not lengthen. Memory is the process's greatest (`VmHWM`).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
from msgspec.structs import replace

from benchmarks.processes import unwind_on_sigterm
from reward_server.offline.score_file import offline_scorer
from reward_server.records.row import Facts, row_of
from reward_server.records.text import encode
from reward_server.rewards.found import Derivation
from reward_server.rewards.plan import Plan
from reward_server.settings import Settings
from reward_server.types import Sample

STEP_ROWS, ROLLOUTS = 1024, 8
QUERY = "flip_prob=0.4&seed=17"
PAGES = {
    "runs": "/",
    "run": "/run/big",
    "samples": "/samples?run=big",
    "a step's samples": "/samples?run=big&rows=train&bucket=5",
    "by outcome": "/samples?run=big&outcome=incorrect",
    "ground truth in the text": "/samples?run=big&preset=in-text",
    "most say the same": "/samples?run=big&preset=agreed",
    "no box": "/samples?run=big&preset=no-answer",
    "eaten backslashes": "/samples?run=big&preset=eaten",
    "outcome and noise": "/samples?run=big&outcome=correct&flipped=yes&rows=train",
    "a question": "/group/q-17?run=big",
    "a sample": "/sample/big-5000?run=big&outcome=correct",
}


def main() -> None:
    """Writes the record, starts the page, prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--chars", type=int, default=1000, help="characters of a completion")
    asked = parser.parse_args()
    with TemporaryDirectory(dir=os.curdir) as folder:
        size = asyncio.run(written(Path(folder), asked.rows, asked.chars))
        print(f"{asked.rows:,} rows, {size / 2**20:,.0f} MiB")
        measured(Path(folder), asked.rows)


async def written(folder: Path, rows: int, chars: int) -> int:
    """The record's size in bytes."""
    path = folder / "big" / "2026-11-18T08-node-1-0001.jsonl"
    path.parent.mkdir(parents=True)
    async with offline_scorer(Settings(verifier_workers=1), "flip", QUERY) as (scorer, plan):
        kinds = [await scorer.derive(plan, [_sample(kind, chars)]) for kind in range(40)]
        with path.open("wb") as file:
            for start in range(0, rows, STEP_ROWS):
                file.writelines(_lines(plan, kinds, chars, range(start, min(rows, start + STEP_ROWS))))
    return path.stat().st_size


def _lines(plan: Plan, kinds: list[list[Derivation]], chars: int, numbers: range) -> list[bytes]:
    step = numbers[0] // STEP_ROWS
    facts = Facts(1_795_000_000.0 + 40 * step, "big", f"step-{step}", "openrlhf", QUERY)
    lines = []
    for number in numbers:
        kind = number * 7 % 40
        question = number // ROLLOUTS
        sample = replace(
            _sample(kind, chars), group=f"q-{question % 8192}", visit=question // 8192, step=step, flip=number % 50 > 0
        )
        lines.append(encode(row_of(f"big-{number}", facts, plan, sample, kinds[kind][0])))
    return lines


def _sample(kind: int, chars: int) -> Sample:
    """Right, wrong, and without an answer, by turns."""
    says = f"\\boxed{{{kind if kind % 3 else kind + 1}}}" if kind % 5 else "and so on"
    text = ("Let me think about it step by step. " * (chars // 36 + 1))[:chars]
    return Sample(f"{text} {says}", prompt=f"What is {kind}?", ground_truths=(str(kind),), group="q", visit=0)


def measured(folder: Path, rows: int) -> None:
    """Prints how long each page took."""
    unwind_on_sigterm()
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "reward_server", "view", str(folder), "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    if process.stdout is None:
        raise RuntimeError("there is no pipe")
    try:
        url = process.stdout.readline().split()[-1]
        client = httpx.Client(base_url=url, timeout=600)
        client.get("/run/big").raise_for_status()
        first, cpu = time.perf_counter() - started, _cpu_s(process.pid)
        print(f"first page from cold: {first:.1f} s, CPU {cpu:.1f} s, {cpu / rows * 1e6:.1f} µs a row")
        print(f"{'page':26} {'wall ms':>8} {'the first time':>15} {'CPU ms':>8}")
        for name, path in PAGES.items():
            times, cpu = [], _cpu_s(process.pid)
            for _ in range(5):
                started = time.perf_counter()
                client.get(path).raise_for_status()
                times.append(time.perf_counter() - started)
            cpu = (_cpu_s(process.pid) - cpu) / 5
            print(f"{name:26} {1000 * min(times):8.0f} {1000 * times[0]:15.0f} {1000 * cpu:8.0f}")
        _grow(folder, client)
        status = Path(f"/proc/{process.pid}/status").read_text()
        peak = re.search(r"VmHWM:\s+(\d+)", status)
        print(f"memory at most {int(peak[1]) / 1024:.0f} MiB" if peak else "memory unknown")
        index = folder / ".view.sqlite3"
        print(f"index {index.stat().st_size / 2**20:.0f} MiB, {index.stat().st_size / rows:.0f} bytes a row")
    finally:
        process.terminate()
        process.wait()


def _cpu_s(pid: int) -> float:
    """User and system time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _grow(folder: Path, client: httpx.Client) -> None:
    (path,) = folder.glob("*/*.jsonl")
    with path.open("rb") as file:
        more = [file.readline() for _ in range(STEP_ROWS)]
    with path.open("ab") as file:
        file.writelines(more)
    started = time.perf_counter()
    client.get("/run/big").raise_for_status()
    print(f"a page after a step more: {1000 * (time.perf_counter() - started):.0f} ms")


if __name__ == "__main__":
    main()
