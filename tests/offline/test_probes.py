"""Answers that a ground truth must not pay, and whether they are another value: told without the verifier."""

from __future__ import annotations

import pytest

from reward_server.offline.probes import changed, is_other_value, plus_one


def test_one_digit_is_changed_at_the_first_the_last_and_two_between() -> None:
    assert changed("42") == ["52", "43"]
    assert changed("1,234,567") == ["2,234,567", "1,244,567", "1,234,667", "1,234,568"]
    assert changed(r"\frac{9}{4}") == [r"\frac{8}{4}", r"\frac{9}{5}"]
    assert changed("007") == ["107", "017", "008"]
    assert changed(r"\text{even}") == []


def test_digits_of_layout_are_no_digits() -> None:
    assert changed(r"\begin{matrix} 1 \\[4pt] 2 \end{matrix}") == [
        r"\begin{matrix} 2 \\[4pt] 2 \end{matrix}",
        r"\begin{matrix} 1 \\[4pt] 3 \end{matrix}",
    ]
    assert changed(r"x\hspace{2mm}") == []


def test_what_has_no_digit_is_raised_by_one_unless_it_is_a_word() -> None:
    assert plus_one(r"B^\top") == [r"(B^\top)+1"]
    assert plus_one("42") == plus_one("C") == plus_one("(C)") == plus_one(r"\text{even}") == []


@pytest.mark.parametrize(
    ("ground_truth", "answer", "is_other"),
    [
        ("42", "52", True),
        ("007", "017", True),
        ("0.50", "0.51", True),
        ("-3", "-4", True),
        (r"\frac{6}{48}=\frac18", r"\frac{6}{48}=\frac17", True),
        ("17+25=42", "17+25=43", True),
        ("x=5", "x=6", True),
        ("x = 5", "0", True),
        ("x^2+1=0", "1=2", True),
        (r"50\%", r"51\%", True),
        (r"25^\circ", r"26^\circ", True),
        (r"1-\frac{1}{2^{2024}}", r"1-\frac{1}{2^{2023}}", True),
        (r"\frac{2^{2009}-1}{3\cdot 2^{2008}-1}", r"\frac{2^{2009}-1}{3\cdot 2^{2007}-1}", True),
        ("1, 2, 3", "1, 2, 4", True),
        (r"\{1, \frac12\}", r"\{1, \frac13\}", True),
        ("[0,1)", "[0,2)", True),
        ("1, 1, 2", "1, 2, 2", True),
        (r"\{1,1,2\}", r"\{1,2,2\}", False),
        ("1,234", "1,235", True),
        ("3(4+1)", "3(4+2)", True),
        (r"\binom{15}{7}", r"\binom{15}{8}", False),
        ("0!", "1!", False),
        ("(-1)^2", "(-1)^4", False),
        (r"\frac{0}{5}", r"\frac{0}{6}", False),
        ("1^5", "1^6", False),
        ("x=0", "0", False),
        (r"0\text{ m}", "0", False),
        (r"\sin 30^\circ", r"\sin 40^\circ", None),
        (r"\sqrt{2}", r"\sqrt{3}", None),
        ("1^2x", "1^3x", None),
        ("204_5", "204_6", None),
        (r"3\frac12", r"4\frac12", None),
        ("f(2)=5", "f(3)=5", None),
        (r"\pi", "0", None),
        ("", "0", None),
        ("9^{9^{9^{9}}}", "9^{9^{9^{8}}}", None),
        ("3000!", "4000!", None),
        ("(" * 500, "1", None),
        ("1/0", "2/0", None),
    ],
)
def test_values_are_told_apart_exactly_or_left_open(ground_truth: str, answer: str, is_other: bool | None) -> None:
    assert is_other_value(ground_truth, answer) is is_other
