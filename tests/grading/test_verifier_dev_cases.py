"""Against the labelled cases and the public ground truths, which stay outside the repository."""

import sys
from collections.abc import Callable
from typing import Any

import pytest

from reward_server.grading.answer import last_box
from reward_server.grading.math_verify_tier import judge_with_math_verify
from reward_server.grading.string_check import last_box_string
from reward_server.grading.tiers import judge_cheaply, judge_string
from reward_server.types import Outcome

Rows = Callable[[str], list[dict[str, Any]]]
MAX_FALSE_NEGATIVES, MAX_FALSE_POSITIVES = 4, 3


def _is_correct(ground_truth: str, answer: str) -> bool:
    verdict = judge_cheaply(ground_truth, answer) or judge_with_math_verify(ground_truth, answer, 2.0)
    return verdict.outcome is Outcome.CORRECT


def test_few_core_cases_are_misjudged(shared_rows: Rows) -> None:
    misses: dict[int, list[str]] = {0: [], 1: []}
    for row in shared_rows("verifier_cases_dev.jsonl"):
        box = last_box(row["completion"])
        is_correct = box is not None and bool(box.text.strip()) and _is_correct(row["ground_truth"], box.text)
        if row["tier"] == "core" and is_correct != bool(row["label"]):
            misses[row["label"]].append(f"{row['category']}: {row['ground_truth']} <- {box and box.text}")
    sys.stdout.write("\n  ".join(["false negatives:", *misses[1], "false positives:", *misses[0], ""]))
    assert len(misses[1]) <= MAX_FALSE_NEGATIVES
    assert len(misses[0]) <= MAX_FALSE_POSITIVES


def test_the_string_rule_agrees_with_the_published_code_everywhere(shared_rows: Rows) -> None:
    for row in shared_rows("verifier_cases_dev.jsonl"):
        content = last_box_string(row["completion"])
        is_equal = content is not None and judge_string(row["ground_truth"], content).outcome is Outcome.CORRECT
        assert is_equal == row["string_equal"], row


@pytest.mark.parametrize("name", ["math500.jsonl", "aime24.jsonl"])
def test_every_ground_truth_is_its_own_answer(shared_rows: Rows, name: str) -> None:
    for row in shared_rows(name):
        assert _is_correct(str(row["ground_truth"]), str(row["ground_truth"])), row["ground_truth"]
