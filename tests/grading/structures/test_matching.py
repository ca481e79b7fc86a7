"""Members of a set find their partners without all pairs being compared."""

from __future__ import annotations

import pytest

from reward_server.grading.structures.matching import compare
from reward_server.grading.structures.shape import read_shape
from reward_server.grading.structures.values import compare_values
from reward_server.grading.text.normalise import normalise

LETTERS = [chr(0x4E00 + place) for place in range(400)]
"""Letters that no rule knows: where their texts differ, Math-Verify would have to decide."""


def compared(ground_truth: list[str], answer: list[str]) -> tuple[bool | None, int]:
    """The verdict on two sets, and how many values were compared for it."""
    asked = 0

    def leaf(one: str, other: str) -> bool | None:
        nonlocal asked
        asked += 1
        return compare_values(one, other)

    wanted, given = (read_shape(normalise("\\{" + ",".join(members) + "\\}")) for members in (ground_truth, answer))
    verdict = compare(wanted, given, leaf)
    return verdict, asked


@pytest.mark.parametrize(
    ("ground_truth", "answer", "verdict"),
    [
        (LETTERS, LETTERS[::-1], True),
        ([f"{k}" for k in range(300)], [f"{k}.0" for k in reversed(range(300))], True),
        ([f"{k}x" for k in range(300)], [f"x \\cdot {k}" for k in reversed(range(300))], True),
        ([f"({k},{k + 1})" for k in range(200)], [f"({k}.0,{k + 1})" for k in reversed(range(200))], True),
        ([f"\\sqrt{{{k}}}" for k in range(2, 300)], [f"\\sqrt{{{k}}}" for k in range(3, 301)], False),
        ([f"{k}x" for k in range(300)], [f"{k}y" for k in range(300)], False),
    ],
)
def test_hundreds_of_members_are_compared_about_once_each(
    ground_truth: list[str], answer: list[str], verdict: bool | None
) -> None:
    found, asked = compared(ground_truth, answer)
    assert found is verdict
    assert asked <= 4 * len(ground_truth)  # 400 letters in the other order: 80,200 before


def test_what_looks_different_still_finds_its_partner() -> None:
    assert compared([r"25\%", r"\frac12", "x"], ["x", "0.5", "0.25"])[0] is True
    assert compared(["1", "1", "2"], ["1", "2", "2"])[0] is True  # a set has no member twice
    assert compared(["1", "2"], ["1", "2", "3"])[0] is False
    assert compared([r"\ln 4", "x"], ["x", r"2\ln 2"])[0] is None
