"""Scoring without a server: worker processes are there for answers that need one, and not before."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest

from reward_server.offline.score_file import offline_scorer, score_rows
from reward_server.offline.score_output import rows_in
from reward_server.settings import Settings


def workers() -> int:
    """Of this process, in which other tests may have started something else."""
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    return sum(b"worker_process" in Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children)


@pytest.mark.parametrize(
    ("reward", "answer", "expected"), [("verifier", "4", 0), ("rpr", r"\ln 4", 0), ("verifier", r"\ln 4", 2)]
)
def test_workers_are_started_by_the_first_answer_that_needs_one(reward: str, answer: str, expected: int) -> None:
    row = json.dumps({"completion": f"\\boxed{{{answer}}}", "ground_truth": r"2\ln 2" if expected else "4"}).encode()

    async def score() -> tuple[list[str], int]:
        async with offline_scorer(Settings(verifier_workers=2), reward, "") as (scorer, plan):
            assert workers() == 0
            (scored,) = [rows async for rows in score_rows(scorer, plan, rows_in([row] * 3))]
            return scored, workers()

    scored, started = asyncio.run(score())
    assert started == expected
    assert {json.loads(line)["outcome"] for line in scored} <= {"correct", "scored", "unanswered"}
    assert workers() == 0
