"""Several boxes side by side at the end of a turn."""

from __future__ import annotations

import pytest

from reward_server.grading.answer import last_box
from reward_server.grading.box_row import answer_for
from reward_server.grading.math_verify_tier import judge_with_math_verify
from reward_server.grading.tiers import judge_cheaply
from reward_server.types import Outcome

TWO = r"The roots are \boxed{2} and \boxed{6}."


def is_paid(ground_truth: str, completion: str, ordered: bool = False) -> bool:
    box = last_box(completion)
    assert box is not None
    answer = answer_for(ground_truth, box.text, box.row)
    verdict = judge_cheaply(ground_truth, answer, ordered)
    verdict = verdict or judge_with_math_verify(ground_truth, answer, 10.0, ordered=ordered)
    return verdict.outcome is Outcome.CORRECT


@pytest.mark.parametrize(
    "completion",
    [
        TWO,
        r"$\boxed{2}$ and $\boxed{6}$",
        r"\boxed{2}, \boxed{6}",
        r"\boxed{6} \text{ or } \boxed{2}",
        r"\[\boxed{2} \quad \boxed{6}\]",
        r"\(\boxed{2}\), \(\boxed{6}\).",
        r"\boxed{x=2}; \boxed{x=6}",
        r"First \boxed{1}. So \boxed{2}, \boxed{6}",
        r"\boxed{5} is the sum, so \boxed{2, 6}",
        r"\boxed{2}, \boxed{2, 6}",
    ],
)
def test_boxes_side_by_side_are_one_list_where_there_are_as_many_values(completion: str) -> None:
    assert is_paid("2, 6", completion)
    assert is_paid(r"\{2, 6\}", completion)


@pytest.mark.parametrize(
    ("ground_truth", "completion"),
    [
        ("2, 6", r"\boxed{2}, \boxed{7}"),
        ("2, 6", r"\boxed{2}, \boxed{6}, \boxed{7}"),
        ("2, 6", r"\boxed{2} \boxed{3} \boxed{6}"),
        ("2, 6", r"\boxed{2} is wrong. \boxed{6}"),
        ("2, 6", r"\boxed{2}\boxed{6}"),
        ("2, 6", r"\boxed{2} and \boxed{6} are what was asked, or not"),
        ("26", r"\boxed{2}, \boxed{6}"),
        ("2", TWO),
        ("(2, 6)", TWO),
        ("a=6, b=2", TWO),
        (r"\pm 2", r"\boxed{2}, \boxed{6}"),
    ],
)
def test_other_boxes_are_no_list(ground_truth: str, completion: str) -> None:
    assert not is_paid(ground_truth, completion)


def test_the_last_box_counts_where_the_ground_truth_has_one_value() -> None:
    assert is_paid("6", TWO)
    assert not is_paid("5", r"\boxed{5}, \boxed{6}")


def test_a_row_has_an_order_where_one_is_asked_for() -> None:
    assert is_paid("2, 6", TWO, ordered=True)
    assert not is_paid("6, 2", TWO, ordered=True)
    assert is_paid("6, 2", TWO)


def test_a_thousand_boxes_are_read_in_passing() -> None:
    box = last_box(r"\boxed{1}, " * 50_000 + r"\boxed{2}")
    assert box is not None
    assert (box.text, box.row) == ("2", None)
