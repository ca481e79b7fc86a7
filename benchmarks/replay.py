"""The commands on a record, each a process of its own whose CPU time and memory are measured.

The record is made up: questions with eight completions of about 1,000 characters and easy answers, 40 % of the draws
turn a score. The figures say what the commands cost, not what grading costs: no answer needs Math-Verify.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.rollouts import reasoning
from reward_server.offline.score_file import offline_scorer
from reward_server.records.row import Facts, row_of
from reward_server.records.text import encode
from reward_server.settings import Settings
from reward_server.types import Sample

QUERY = "flip_prob=0.4&seed=17"
STEP_ROWS = 1024
QUESTIONS = STEP_ROWS // 8
"""Each comes at every step, with a new visit."""
FACTS = Facts(time=1_795_732_801.0, run="made", request_id="", dialect="native", query=QUERY)


async def make(folder: Path, rows: int) -> None:
    """Writes a record of so many rows, in requests of one step each."""
    file = folder / "made" / "2026-11-26T22-host-1-0001.jsonl"
    file.parent.mkdir()
    texts = [reasoning(np.random.default_rng(seed), 1000) for seed in range(64)]
    async with offline_scorer(Settings(), "flip", QUERY) as (scorer, plan):
        with file.open("wb") as written:
            for step, first in enumerate(range(0, rows, STEP_ROWS)):
                numbers = range(first, min(rows, first + STEP_ROWS))
                samples = [sample(number, step, texts[number % len(texts)]) for number in numbers]
                facts = replace(FACTS, time=FACTS.time + step, request_id=f"request-{step}")
                found = zip(samples, await scorer.derive(plan, samples), strict=True)
                lines = [row_of(f"{first + n}", facts, plan, *each) for n, each in enumerate(found)]
                written.writelines(map(encode, lines))


def sample(number: int, step: int, text: str) -> Sample:
    """Three of eight completions of a question are right."""
    question = number // 8
    answer = question if number % 8 < 3 else question + number % 8
    return Sample(
        f"{text} \\boxed{{{answer}}}",
        prompt=f"Question {question}: which number is this?",
        ground_truths=(str(question),),
        group=f"q-{question % QUESTIONS}",
        visit=step,
        step=step,
    )


def measured(arguments: Sequence[str]) -> tuple[float, float]:
    """CPU seconds of a command, its workers included, and the greatest memory of it in MiB."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    program = "import resource, sys; from reward_server.cli import app\ntry: app()\nfinally: print(resource.getrusage("
    program += "resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(arguments)}: {done.stdout[-1000:]}{done.stderr[-1000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu_s, int(done.stderr.split()[-1]) / 1024


def main(rows: int, output: Path | None) -> None:
    """Measures each command once, and prints a line for each."""
    with TemporaryDirectory(prefix="replay-") as name:
        record, told, again = Path(name) / "record", Path(name) / "told.jsonl", Path(name) / "replayed.jsonl"
        record.mkdir()
        asyncio.run(make(record, rows))
        questions = Path(name) / "questions.jsonl"
        questions.write_text("".join(json.dumps({"group": f"q-{number}"}) + "\n" for number in range(QUESTIONS)))
        visits = f"0:{-(-rows // STEP_ROWS)}"
        commands = {
            "replay": ["replay", str(record)],
            "replay --receipt": ["replay", str(record), "--receipt"],
            "replay -r rpr -o": ["replay", str(record), "-r", "rpr", "-o", str(again)],
            "audit": ["audit", str(record)],
            "noise": ["noise", f"flip?{QUERY}", str(questions), "--visits", visits, "-o", str(told)],
            "reconcile": ["reconcile", str(record), str(told)],
        }
        for label, arguments in commands.items():
            cpu_s, memory_mib = measured(arguments)
            found = {"command": label, "rows": rows, "cpu_s": round(cpu_s, 1), "us_a_row": round(cpu_s / rows * 1e6, 1)}
            found["memory_mib"] = round(memory_mib)
            print(json.dumps(found), flush=True)
            if output is not None:
                with output.open("a") as sink:
                    sink.write(json.dumps({"benchmark": "replay", **found}) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--output", type=Path, help="append the figures to this JSONL file")
    given = parser.parse_args()
    main(given.rows, given.output)
