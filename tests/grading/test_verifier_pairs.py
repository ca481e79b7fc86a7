"""Ground truths of many kinds, each with right and wrong answers: `tests/data/verifier_pairs.jsonl`.

Category `policy`: where a right value could be paid or not, and is not. `gap`: right, and not paid yet.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reward_server.grading.answer import last_box
from reward_server.grading.math_verify_tier import judge_with_math_verify
from reward_server.grading.tiers import judge_cheaply
from reward_server.types import Outcome

PAIRS = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "data" / "verifier_pairs.jsonl").read_text("utf-8").splitlines()
]
CATEGORIES = sorted({row["category"] for row in PAIRS})


def _is_correct(ground_truth: str, answer: str) -> bool:
    box = last_box(f"so \\boxed{{{answer}}}")
    text = box.text if box else ""
    verdict = judge_cheaply(ground_truth, text) or judge_with_math_verify(ground_truth, text, 10.0)
    return verdict.outcome is Outcome.CORRECT


@pytest.mark.parametrize("category", CATEGORIES)
def test_every_pair_is_judged_as_labelled(category: str) -> None:
    rows = [row for row in PAIRS if row["category"] == category]
    wrong = [row for row in rows if _is_correct(row["ground_truth"], row["answer"]) != bool(row["label"])]
    assert wrong == (rows if category == "gap" else [])
