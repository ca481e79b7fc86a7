"""Nothing is paid that is one digit off, and no constant answer is paid for what it does not say.

Over public ground truths and made-up ones of every shape. What is left for the last tier is judged there for a sample.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random
from typing import Any

import pytest
from made_up import JUNK, ground_truths, with_a_digit_changed

from reward_server.grading.math_verify_tier import judge_with_math_verify, warm_up
from reward_server.grading.tiers import judge_cheaply
from reward_server.types import Outcome

Pair = tuple[str, str]
MADE_UP = 2000
PLACES = 3
SAMPLE = 250
SOFT_TIMEOUT_S = 10.0
TRULY_EQUAL = frozenset({("\\binom{15}{7}", "\\binom{15}{8}")})


def _paid(pairs: Iterable[Pair]) -> tuple[list[Pair], list[Pair]]:
    """(the pairs that the cheap rules pay, those that they leave open)"""
    paid, left = [], []
    for ground_truth, answer in pairs:
        verdict = judge_cheaply(ground_truth, answer)
        if verdict is None:
            left.append((ground_truth, answer))
        elif verdict.outcome is Outcome.CORRECT and (ground_truth, answer) not in TRULY_EQUAL:
            paid.append((ground_truth, answer))
    return paid, left


def _paid_at_last(pairs: list[Pair], rng: Random) -> list[Pair]:
    warm_up()
    sample = rng.sample(pairs, min(SAMPLE, len(pairs)))
    verdicts = [judge_with_math_verify(truth, answer, SOFT_TIMEOUT_S) for truth, answer in sample]
    return [pair for pair, verdict in zip(sample, verdicts, strict=True) if verdict.outcome is Outcome.CORRECT]


def _changed(truths: Iterable[str], rng: Random) -> list[Pair]:
    return [(truth, answer) for truth in truths for answer in with_a_digit_changed(truth, rng, PLACES)]


def test_made_up_ground_truths_pay_no_answer_that_is_one_digit_off() -> None:
    rng = Random(7)
    paid, left = _paid(_changed(ground_truths(MADE_UP, seed=1), rng))
    assert paid == []
    assert _paid_at_last(left, rng) == []


def test_made_up_ground_truths_pay_no_constant_answer() -> None:
    rng = Random(11)
    truths = list(ground_truths(MADE_UP // 8, seed=2))
    paid, left = _paid((truth, answer) for truth in truths for answer in JUNK)
    assert paid == []
    assert _paid_at_last(left, rng) == []


@pytest.mark.parametrize("name", ["math500.jsonl", "aime24.jsonl"])
def test_public_ground_truths_pay_no_answer_that_is_one_digit_off(
    shared_rows: Callable[[str], list[dict[str, Any]]], name: str
) -> None:
    rng = Random(13)
    paid, left = _paid(_changed([str(row["ground_truth"]) for row in shared_rows(name)], rng))
    assert paid == []
    assert _paid_at_last(left, rng) == []
