"""335 labelled completions in 51 kinds, after public bug reports, other verifiers' tests and public ground truths.

`source` in the file says where each kind was seen. Cases that are a matter of choice are decided in docs/verifier.md.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from reward_server.grading.answer import last_box
from reward_server.grading.math_verify_tier import judge_with_math_verify
from reward_server.grading.tiers import judge_cheaply
from reward_server.grading.turn import own_turn
from reward_server.types import Outcome

PATH = Path(__file__).parents[1] / "data" / "verifier_cases_dev2.jsonl"
CASES: list[dict[str, Any]] = [json.loads(line) for line in PATH.read_text(encoding="utf-8").splitlines()]

DECIDED = {
    ("9.6", r"\boxed{9.58}"): False,  # a rounded ground truth needs three digits
    ("0.33", r"\boxed{\frac13}"): False,  # two digits
    ("3.14", r"\boxed{\frac{22}{7}}"): True,  # rounds to it: nobody can tell it from pi
    ("1.5", r"\boxed{1.5\%}"): True,  # a percent sign behind a number over 1 may be left out
    ("1,1,0", r"\boxed{0,1,1}"): True,  # bare lists have no order but with ordered=true
    ("yes, no, no", r"\boxed{no, no, yes}"): True,
    ("150, 2", r"\boxed{2, 150}"): True,
    ("y > 0", r"\boxed{y \text{ is positive}}"): False,  # prose
    ("0<x<1", r"\boxed{x \text{ between } 0 \text{ and } 1}"): False,
}
"""Choices that were decided against the file's label."""


def is_paid(ground_truth: str, completion: str) -> bool:
    answer = last_box(own_turn(completion))
    if answer is None:
        return False
    verdict = judge_cheaply(ground_truth, answer.text) or judge_with_math_verify(ground_truth, answer.text, 60.0)
    return verdict.outcome is Outcome.CORRECT


@pytest.mark.parametrize("kind", dict.fromkeys(case["kind"] for case in CASES))
def test_every_kind_of_the_labelled_cases_is_judged_as_labelled_or_decided(kind: str) -> None:
    cases = [(case["ground_truth"], case["completion"], bool(case["label"])) for case in CASES if case["kind"] == kind]
    wrong = [
        (truth, completion)
        for truth, completion, label in cases
        if is_paid(truth, completion) is not DECIDED.get((truth, completion), label)
    ]
    assert wrong == []
